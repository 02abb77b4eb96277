#include "docs/course/exercises/check.h"

#include "cograd/engine/ops/ops.h"
#include COURSE_STUDENT

namespace {

/// The agreement when a linear layer [2, 2] sees `x` [3, 2], one row a group, all of class 0.
double of_rows(const std::vector<float>& x, Parameter& weight) {
  const Variable rows(Tensor::from(x, {3, 2}, cpu_backend()), Groups(3, 3));
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 0, 0}, {3}, cpu_backend());
  return agreement(cross_entropy(linear(rows, weight, nullptr), labels), MedianOfMeans(3));
}

Parameter zeros(const char* name, const Shape& shape) {
  return {name, Tensor::zeros(shape, Dtype::f32, cpu_backend()), {}, {}};
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    Parameter w = zeros("w", {2, 2});
    check.near("all groups see (1, 2)", of_rows({1, 2, 1, 2, 1, 2}, w), 1.0);
    check.that(w.gradient.defined(), "the aggregated gradient is left", "it is undefined");
    check.near("the second feature changes its sign", of_rows({1, 2, 1, -2, 1, 2}, w), 0.5);
    check.near("the second feature is 0 in one group", of_rows({1, 2, 1, 0, 1, 2}, w), 0.5, 1e-6,
               "0 is no agreement");
    check.near("both change their sign", of_rows({1, 2, -1, -2, 1, 2}, w), 0.0);
    // The bias [2] sees no features: its 2 weights agree, and of the 4 of w 2 do.
    Parameter v = zeros("w", {2, 2}), b = zeros("b", {2});
    const Variable x(Tensor::from(std::vector<float>{1, 2, 1, -2, 1, 2}, {3, 2}, cpu_backend()),
                     Groups(3, 3));
    const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 0, 0}, {3}, cpu_backend());
    check.near("with a bias: 2 + 2 of 4 + 2 weights",
               agreement(cross_entropy(linear(x, v, &b), labels), MedianOfMeans(3)), 4.0 / 6.0);
  });
}
