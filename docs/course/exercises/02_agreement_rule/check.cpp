// Compile: -O1
#include "docs/course/exercises/check.h"

#include "docs/examples/toy.h"
#include COURSE_STUDENT

namespace {

template <int K>
void value(course::Check& check, std::array<double, K> values, double expected) {
  double x[K];
  std::copy(values.begin(), values.end(), x);
  check.near(fmt::format("the rule of {}", fmt::join(values, ", ")), Agreement{}(x), expected);
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    value<3>(check, {2, 0.5, 1}, 0.5);
    value<3>(check, {-2, -0.5, -1}, -0.5);
    value<3>(check, {2, -0.5, 1}, 0.0);
    value<3>(check, {2, 0, 1}, 0.0);
    value<4>(check, {3, 4, 5, 6}, 3.0);
    const auto rule = cograd::coordinate_wise("agreement:3", 3, Agreement{});
    const toy::Outcome o = toy::train(*rule);
    check.equal("corrupt labels that the toy fits", o.fitted, 0);
    check.near("size of the weights of own features", o.own, 0.0, 0.0);
    check.that(o.shared > 0.1, "the toy learns the shared feature",
               fmt::format("expected a weight above 0.1, got {:.3f}", o.shared));
  });
}
