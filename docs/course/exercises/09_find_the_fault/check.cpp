#include "docs/course/exercises/check_gradients.h"

#include COURSE_STUDENT

namespace {

Tensor numbers(const Shape& shape, double first) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i)
    values.push_back(first + 0.37 * static_cast<double>(i % 7));
  return Tensor::from(values, shape, reference_backend());
}

void gradients(course::Check& check, std::string_view what, std::int64_t groups, int uses) {
  Parameter s{"s", numbers({2}, 0.5), {}, {}};
  const Tensor weights = numbers({6, 2}, -1.0);
  GradientCheck differences{.inputs = {numbers({6, 2}, 0.2)}, .parameters = {&s}, .groups = groups};
  differences.loss = [&](const auto& in) {
    Variable y = in[0];
    for (int use = 0; use < uses; ++use) y = scale(y, s);
    return projected_loss(y, weights);
  };
  course::check_gradients(check, fmt::format("{}: ", what), differences);
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    gradients(check, "1 group", 1, 1);
    gradients(check, "3 groups", 3, 1);
    gradients(check, "1 group, used twice", 1, 2);
    gradients(check, "3 groups, used twice", 3, 2);
  });
}
