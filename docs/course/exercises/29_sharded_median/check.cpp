#include "docs/course/exercises/check.h"

#include "cograd/engine/random.h"
#include "tests/support/ranks_in_threads.h"
#include COURSE_STUDENT

namespace {

using Values = std::vector<float>;

std::vector<Values> gradients_of(int ranks, int n) {
  cograd::Random random(static_cast<std::uint64_t>(ranks * 1000 + n));
  std::vector<Values> all(static_cast<std::size_t>(ranks), Values(static_cast<std::size_t>(n)));
  for (Values& gradient : all) {
    for (float& v : gradient) v = static_cast<float>(random.normal());
  }
  return all;
}

void compare(course::Check& check, int ranks, int n) {
  const std::string what = fmt::format("{} ranks, n = {}", ranks, n);
  const std::vector<Values> before = gradients_of(ranks, n);
  Values expected;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    Values values;
    for (const Values& gradient : before) values.push_back(gradient[i]);
    expected.push_back(median_of(values));
  }
  std::vector<Values> after = before;
  const std::vector<std::int64_t> sent =
      run_ranks(ranks, [&after](cograd::Communicator& communicator) {
        sharded_median(communicator, after[static_cast<std::size_t>(communicator.rank())]);
      });
  for (int r = 0; r < ranks; ++r) {
    const Values& gradient = after[static_cast<std::size_t>(r)];
    if (gradient == expected) continue;
    check.all_near(fmt::format("{}: the median on rank {}", what, r), gradient, expected, 0.0);
    return;
  }
  const std::int64_t shard = (n + ranks - 1) / ranks, most = 2 * (ranks - 1) * shard * 4;
  check.that(sent[0] <= most, what,
             fmt::format("the medians are right, but {} bytes left rank 0: expected at most {}",
                         sent[0], most));
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    for (const int ranks : {2, 3, 5}) {
      for (const int n : {1, 6, 7, 100}) compare(check, ranks, n);
    }
  });
}
