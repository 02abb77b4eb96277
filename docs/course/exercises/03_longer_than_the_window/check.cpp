// Compile: -O1
#include "docs/course/exercises/check.h"

#include "docs/examples/toy.h"

namespace {

/// Of all pairs of steps in two epochs of S, the share that is at most two steps apart.
double chance(int steps) {
  int close = 0;
  for (int p = 0; p < steps; ++p) {
    for (int q = 0; q < steps; ++q) close += steps - p + q <= 2 ? 1 : 0;
  }
  return static_cast<double>(close) / (steps * steps);
}

double percent_fitted(std::int64_t steps) {
  const toy::Settings settings{.examples = 30 * steps, .shuffle = false};
  const toy::Outcome o = toy::train(cograd::RollingMedian(3), settings);
  return 100.0 * o.fitted / o.corrupt;
}

}  // namespace

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    const char* pairs = "count the pairs of steps (p, q) with S - p + q at most 2, of S x S";
    answers.number("chance with 4 steps", chance(4), pairs, 1e-4);
    answers.number("chance with 40 steps", chance(40), pairs, 1e-6);
    answers.number("chance with 4 steps in fixed order", 0.0,
                   "the visits are always 4 steps apart");
    answers.number("fitted with 4 steps in fixed order", percent_fitted(4),
                   "can two of the three gradients in the window be of one example?");
    answers.number("fitted with 2 steps in fixed order", percent_fitted(2),
                   "the example comes at every second step: how often is it in three of them?");
  });
}
