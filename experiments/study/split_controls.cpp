#include "cograd/experiments/study/split_controls.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "cograd/data/index_file.h"
#include "cograd/engine/random.h"

namespace cograd {
namespace {

using Indices = std::vector<std::int64_t>;

/// Streams of the seed.
constexpr std::uint64_t kRandom = 0xE2, kEasyEqual = 0xE3, kHardEqual = 0xE4;

/// The members of sorted `all` that are not in sorted `others`.
Indices without(const Indices& all, const Indices& others) {
  Indices rest;
  std::set_difference(all.begin(), all.end(), others.begin(), others.end(),
                      std::back_inserter(rest));
  return rest;
}

/// Draws `count` of the two sets, `share` of them from the first. Sorted.
Indices draw(Indices first, Indices second, std::int64_t count, double share, Random& random) {
  shuffle(first.begin(), first.end(), random);
  shuffle(second.begin(), second.end(), random);
  const auto of_first =
      std::min<std::int64_t>(std::llround(share * static_cast<double>(count)), std::ssize(first));
  first.resize(static_cast<std::size_t>(of_first));
  second.resize(static_cast<std::size_t>(std::min(count - of_first, std::ssize(second))));
  first.insert(first.end(), second.begin(), second.end());
  std::sort(first.begin(), first.end());
  return first;
}

Side draw_random(const Indices& learned, const Indices& others, const Splits& splits,
                 Random random) {
  const double share =
      static_cast<double>(learned.size()) / static_cast<double>(learned.size() + others.size());
  Side side;
  side.train = draw(without(learned, splits.easy.test), without(others, splits.hard.test),
                    std::ssize(splits.easy.train), share, random);
  side.test = draw(without(learned, side.train), without(others, side.train),
                   std::ssize(splits.easy.test), share, random);
  return side;
}

using ByClass = std::map<std::int64_t, Indices>;

ByClass by_class(const Indices& indices,
                 const std::function<std::int64_t(std::int64_t)>& label_of) {
  ByClass classes;
  for (const std::int64_t index : indices) classes[label_of(index)].push_back(index);
  return classes;
}

/// The number of examples of a class for training and for testing.
using Quota = std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>>;

Quota equal_quota(const ByClass& easy, const ByClass& hard, const Side& like) {
  std::map<std::int64_t, std::int64_t> both;
  std::int64_t sum = 0;
  for (const auto& [label, indices] : easy) {
    const auto found = hard.find(label);
    if (found == hard.end()) continue;
    both[label] = std::min(std::ssize(indices), std::ssize(found->second));
    sum += both[label];
  }
  const std::int64_t test = std::ssize(like.test), most = std::ssize(like.train) + test;
  Quota quota;
  for (const auto& [label, least] : both) {
    const std::int64_t count = sum <= most ? least : least * most / sum;
    quota[label] = {count - count * test / most, count * test / most};
  }
  return quota;
}

Side draw_equal(ByClass classes, const Quota& quota, Random random) {
  Side side;
  for (const auto& [label, numbers] : quota) {
    Indices& indices = classes.at(label);
    shuffle(indices.begin(), indices.end(), random);
    const auto middle = indices.begin() + numbers.first;
    side.train.insert(side.train.end(), indices.begin(), middle);
    side.test.insert(side.test.end(), middle, middle + numbers.second);
  }
  std::sort(side.train.begin(), side.train.end());
  std::sort(side.test.begin(), side.test.end());
  return side;
}

}  // namespace

SplitControls draw_controls(const std::filesystem::path& run, const Splits& splits,
                            const std::function<std::int64_t(std::int64_t)>& label_of,
                            std::uint64_t seed) {
  Indices learned = read_index_file(run / "learned_examples.csv").indices;
  Indices others = read_index_file(run / "not_learned_examples.csv").indices;
  std::sort(learned.begin(), learned.end());
  std::sort(others.begin(), others.end());
  const ByClass easy = by_class(learned, label_of), hard = by_class(others, label_of);
  const Quota quota = equal_quota(easy, hard, splits.easy);
  return {draw_random(learned, others, splits, Random(seed, kRandom)),
          {draw_equal(easy, quota, Random(seed, kEasyEqual)),
           draw_equal(hard, quota, Random(seed, kHardEqual)), splits.set}};
}

void write_controls(const SplitControls& controls, const std::filesystem::path& folder) {
  const Splits& equal = controls.equal_classes;
  const std::pair<const char*, const Indices*> files[] = {
      {"random_train.csv", &controls.random.train}, {"random_test.csv", &controls.random.test},
      {"easy_equal_train.csv", &equal.easy.train},  {"easy_equal_test.csv", &equal.easy.test},
      {"hard_equal_train.csv", &equal.hard.train},  {"hard_equal_test.csv", &equal.hard.test}};
  for (const auto& [name, indices] : files) write_index_file(folder / name, {*indices, equal.set});
}

}  // namespace cograd
