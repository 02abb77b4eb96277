#include "docs/course/exercises/check.h"

#include "cograd/engine/aggregation/gradient_statistics.h"
#include "cograd/engine/random.h"
#include COURSE_STUDENT

namespace {

using Values = std::vector<double>;

void compare(course::Check& check, const std::string& what, const Values& a, const Values& b) {
  Values differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  const cograd::Interval expected = cograd::mean_interval(differences);
  const MyInterval got = paired_interval(a, b);
  check.near(what + ": mean", got.mean, expected.estimate);
  check.near(what + ": lower end", got.low, expected.low, 1e-3);
  check.near(what + ": upper end", got.high, expected.high, 1e-3);
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    compare(check, "three seeds", {63.0, 66.1, 60.8}, {67.9, 68.2, 66.5});
    // Both vary by tens of points from seed to seed, and differ by one.
    Values a, b;
    cograd::Random random(4);
    for (int i = 0; i < 8; ++i) {
      const double seed = 50 + 20 * random.normal();
      a.push_back(seed + 1 + 0.3 * random.normal());
      b.push_back(seed);
    }
    compare(check, "eight seeds that vary together", a, b);
    check.equal("a verdict on them", verdict(paired_interval(a, b)), std::string("holds"));
    const MyInterval one = paired_interval({5.0}, {3.0});
    check.that(std::isinf(one.low) && std::isinf(one.high), "one seed",
               fmt::format("expected infinite ends, got {} to {}", one.low, one.high));
    check.equal("a verdict on one seed", verdict({2.0, one.low, one.high}),
                std::string("undecided"));
    check.equal("a verdict on (-1, 3)", verdict({1.0, -1.0, 3.0}), std::string("undecided"));
    check.equal("a verdict on (-3, -1)", verdict({-2.0, -3.0, -1.0}), std::string("does not hold"));
  });
}
