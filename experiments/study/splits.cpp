#include "cograd/experiments/study/splits.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/data/index_file.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

/// Streams of the seed.
constexpr std::uint64_t kEasy = 0xE0, kHard = 0xE1;

Side split(const std::filesystem::path& file, std::vector<std::int64_t> indices, std::int64_t train,
           std::int64_t test, Random random) {
  require<ValueError>(train + test <= std::ssize(indices),
                      "[splits] {} names {} examples: {} for training and {} for testing are more",
                      printable(file.native()), indices.size(), train, test);
  shuffle(indices.begin(), indices.end(), random);
  const auto middle = indices.begin() + train;
  Side side{{indices.begin(), middle}, {middle, middle + test}};
  std::sort(side.train.begin(), side.train.end());
  std::sort(side.test.begin(), side.test.end());
  return side;
}

}  // namespace

Splits split_run(const std::filesystem::path& run, std::int64_t train, std::int64_t test,
                 std::uint64_t seed) {
  const std::filesystem::path easy = run / "learned_examples.csv",
                              hard = run / "not_learned_examples.csv";
  const IndexFile learned = read_index_file(easy), not_learned = read_index_file(hard);
  // A file without examples names no set.
  const bool same =
      learned.set == not_learned.set || learned.indices.empty() || not_learned.indices.empty();
  require<ValueError>(same, "[splits] {} counts in {}, but {} in {}", printable(easy.native()),
                      learned.set, printable(hard.native()), not_learned.set);
  return {split(easy, learned.indices, train, test, Random(seed, kEasy)),
          split(hard, not_learned.indices, train, test, Random(seed, kHard)),
          learned.set.empty() ? not_learned.set : learned.set};
}

void write_splits(const Splits& splits, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<IoError>(!error, "[output] cannot make {}: {}", printable(folder.native()),
                   error.message());
  write_index_file(folder / "easy_train.csv", {splits.easy.train, splits.set});
  write_index_file(folder / "easy_test.csv", {splits.easy.test, splits.set});
  write_index_file(folder / "hard_train.csv", {splits.hard.train, splits.set});
  write_index_file(folder / "hard_test.csv", {splits.hard.test, splits.set});
}

}  // namespace cograd
