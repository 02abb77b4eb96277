#include "docs/course/exercises/check_gradients.h"

#include COURSE_STUDENT

namespace {

Tensor numbers(const Shape& shape, double step) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(std::sin(step * static_cast<double>(i)) + 0.1 * static_cast<double>(i));
  }
  return Tensor::from(values, shape, reference_backend());
}

Parameter parameter(const char* name, double value) {
  return {name, Tensor::full({4}, value, Dtype::f64, reference_backend()), {}, {}};
}

void rows(course::Check& check) {
  Parameter gamma = parameter("gamma", 1.0), beta = parameter("beta", 0.0);
  const auto y =
      layer_norm(Variable(numbers({3, 4}, 1.3)), gamma, beta, 0.0).value().to_vector<double>();
  for (std::size_t n = 0; n < 3; ++n) {
    double mean = 0.0, square = 0.0;
    for (std::size_t f = 0; f < 4; ++f) {
      mean += y[4 * n + f] / 4;
      square += y[4 * n + f] * y[4 * n + f] / 4;
    }
    check.near(fmt::format("mean of row {}", n), mean, 0.0, 1e-9);
    check.near(fmt::format("variance of row {}", n), square, 1.0, 1e-9);
  }
  const Tensor x = Tensor::from(std::vector<double>{1, 1, 3, 3}, {1, 4}, reference_backend());
  Parameter two = parameter("gamma", 2.0), five = parameter("beta", 5.0);
  check.all_near("gamma 2, beta 5, eps 0, of the row 1, 1, 3, 3",
                 layer_norm(Variable(x), two, five, 0.0).value().to_vector<double>(),
                 std::vector<double>{3, 3, 7, 7});
}

void gradients(course::Check& check, std::int64_t groups) {
  check.part(fmt::format("gradients in {} group(s)", groups), [&] {
    Parameter gamma{"gamma", numbers({4}, 0.7), {}, {}}, beta{"beta", numbers({4}, 2.1), {}, {}};
    const Tensor weights = numbers({5, 4}, 1.9);
    GradientCheck differences{
        .inputs = {numbers({5, 4}, 1.3)}, .parameters = {&gamma, &beta}, .groups = groups};
    differences.loss = [&](const auto& in) {
      return projected_loss(layer_norm(in[0], gamma, beta), weights);
    };
    course::check_gradients(check, fmt::format("{} group(s): ", groups), differences);
  });
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    rows(check);
    for (const std::int64_t groups : {1, 3, 5}) gradients(check, groups);
  });
}
