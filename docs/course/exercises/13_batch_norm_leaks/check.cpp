#include "docs/course/exercises/check.h"
#include COURSE_STUDENT

namespace {

Tensor images() {
  std::vector<double> values;
  for (int i = 0; i < 24; ++i) values.push_back(std::sin(1.7 * i) + 0.05 * i);
  return Tensor::from(values, {6, 2, 1, 2}, reference_backend());
}

/// The outputs of the two examples of group 0.
std::vector<double> outputs(const Tensor& x, Statistics statistics) {
  Parameter gamma{"gamma", Tensor::full({2}, 1.0, Dtype::f64, reference_backend()), {}, {}};
  Parameter beta{"beta", Tensor::zeros({2}, Dtype::f64, reference_backend()), {}, {}};
  RunningStatistics running;
  auto y = batch_norm(Variable(x, Groups(6, 3)), gamma, beta, running, 1e-5, statistics)
               .value()
               .to_vector<double>();
  y.resize(8);
  return y;
}

double change(Statistics statistics) {
  Tensor moved = images();
  moved.data<double>()[8] += 1.0;  // a pixel of group 1
  const auto before = outputs(images(), statistics), after = outputs(moved, statistics);
  double largest = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i)
    largest = std::max(largest, std::abs(after[i] - before[i]));
  return largest;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    check.near("leak with statistics per group", leak(images(), Statistics::per_group), 0.0, 0.0);
    const double whole = leak(images(), Statistics::whole_batch);
    check.that(whole > 0.01 && whole < 100, "leak with statistics of the whole batch",
               fmt::format("expected more than 0.01, got {}", whole));
    check.that(leak(images(), Statistics::whole_batch) != leak(images(), Statistics::per_group),
               "the two differ", "both are the same: do you pass `statistics` on?");
    check.that(change(Statistics::per_group) == 0.0 && change(Statistics::whole_batch) > 0.01,
               "a pixel of group 1 moves outputs of group 0 only with the whole batch's statistics",
               "the engine itself is wrong");
  });
}
