#include "docs/course/exercises/check.h"

#include "cograd/engine/backend.h"
#include "cograd/engine/gradient_check.h"
#include COURSE_STUDENT

namespace {

double value_at(double x) {
  const Tensor t = Tensor::from(std::vector<double>{x}, {1}, reference_backend());
  return gelu(Variable(t)).value().to_vector<double>()[0];
}

/// The relative error of the gradient in `groups` groups.
double gradient_error(std::int64_t groups) {
  std::vector<double> x, w;
  for (int i = 0; i < 12; ++i) {
    x.push_back(0.5 * i - 2.9);
    w.push_back(1.0 + 0.3 * (i % 5));
  }
  const Tensor weights = Tensor::from(w, {6, 2}, reference_backend());
  GradientCheck check{.inputs = {Tensor::from(x, {6, 2}, reference_backend())}, .groups = groups};
  check.loss = [&](const auto& in) { return projected_loss(gelu(in[0]), weights); };
  return check.errors().at(0).relative;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    check.near("gelu(0)", value_at(0), 0.0);
    check.near("gelu(1)", value_at(1), 0.8413447461, 1e-9);
    check.near("gelu(-1)", value_at(-1), -0.1586552539, 1e-9);
    check.near("gelu(8): for large x it is x", value_at(8), 8.0, 1e-9);
    for (const std::int64_t groups : {1, 3}) {
      const double error = gradient_error(groups);
      check.that(
          error < 1e-6, fmt::format("the gradient in {} group(s)", groups),
          fmt::format("it differs from finite differences of your forward by {:.2g} of their "
                      "size, expected less than 1e-6",
                      error));
    }
  });
}
