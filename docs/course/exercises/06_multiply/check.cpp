#include "cograd/engine/aggregation/aggregator.h"
#include "docs/course/exercises/check_gradients.h"
#include COURSE_STUDENT

namespace {

Tensor numbers(double first) {
  std::vector<double> values;
  for (int i = 0; i < 8; ++i) values.push_back(first + 0.4 * i);
  return Tensor::from(values, {4, 2}, reference_backend());
}

void gradients(course::Check& check, const char* what, std::int64_t groups, bool same) {
  check.part(fmt::format("{} in {} group(s)", what, groups), [&] {
    GradientCheck differences{.inputs = {numbers(-1)}, .groups = groups};
    if (!same) differences.inputs.push_back(numbers(0.3));
    differences.loss = [&](const auto& in) {
      return projected_loss(multiply(in[0], same ? in[0] : in[1]), numbers(1));
    };
    course::check_gradients(check, fmt::format("{} in {} group(s), ", what, groups), differences);
  });
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    const Variable a = Variable::leaf(numbers(-1)), b = Variable::leaf(numbers(2));
    check.near("the first product, -1 * 2", multiply(a, b).value().to_vector<double>()[0], -2.0);
    check.that(multiply(a, b).requires_gradient(), "the result is on the tape",
               "it has no Node: expected record()");
    gradients(check, "multiply(a, b)", 1, false);
    gradients(check, "multiply(a, b)", 2, false);
    gradients(check, "multiply(x, x)", 1, true);
    bool thrown = false;
    try {
      multiply(a, Variable::leaf(Tensor::zeros({4, 1}, Dtype::f64, reference_backend())));
    } catch (const ShapeError&) {
      thrown = true;
    }
    check.that(thrown, "inputs of shapes [4, 2] and [4, 1]",
               "expected a ShapeError, and none came");
    check.part("a constant as second input", [&] {
      const Variable x = Variable::leaf(numbers(-1));
      backward(projected_loss(multiply(x, Variable(numbers(2))), numbers(1)), Mean());
      check.near("with a constant as second input, the gradient of the first",
                 x.gradient().to_vector<double>()[0], 2.0);
    });
  });
}
