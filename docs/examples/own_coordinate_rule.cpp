// An aggregator that looks at one coordinate at a time: a functor over K values.
// Run: --aggregator midrange:3@30 --epochs 2 --train-size 600 --test-size 200
#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/experiments/study/memorization_study.h"

/// (smallest + largest) / 2. T is float, or double on the reference backend.
struct Midrange {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    cograd::sort(x);
    return (x[0] + x[K - 1]) * T(0.5);
  }
};

int main(int argc, char** argv) {
  const auto make = [](std::span<const double> numbers) {
    const std::int64_t groups = cograd::whole_number(numbers[0]);
    return cograd::coordinate_wise(fmt::format("midrange:{}", groups), groups, Midrange{});
  };
  cograd::register_aggregator({"midrange", "K", make});
  return cograd::label_noise_study(argc, argv);
}
