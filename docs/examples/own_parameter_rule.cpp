// An aggregator that sees the K gradients of one parameter at once, and writes one.
// Run: --aggregator shortest:3@30 --epochs 2 --train-size 600 --test-size 200
#include <numeric>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/parameter_aggregator.h"
#include "cograd/engine/tensor.h"
#include "cograd/experiments/study/memorization_study.h"

/// Of each parameter the gradient of the smallest norm.
class Shortest final : public cograd::ParameterAggregator {
 public:
  explicit Shortest(std::int64_t groups) : groups_(groups) {}
  std::string name() const override { return fmt::format("shortest:{}", groups_); }
  std::int64_t groups(std::int64_t) const override { return groups_; }

  void reduce(cograd::Tensor& groups, cograd::Tensor& gradient) const override {
    const std::vector<float> values = groups.to_vector<float>();  // [K, n]
    const std::int64_t n = gradient.numel();
    double least = HUGE_VAL;
    std::int64_t shortest = 0;
    for (std::int64_t g = 0; g < groups_; ++g) {
      const auto begin = values.begin() + g * n;
      const double norm = std::inner_product(begin, begin + n, begin, 0.0);
      if (norm < least) least = norm, shortest = g;
    }
    gradient.copy_from(groups.rows(shortest, shortest + 1).reshape(gradient.shape()));
  }

 private:
  std::int64_t groups_;
};

int main(int argc, char** argv) {
  const auto make = [](std::span<const double> numbers) {
    return std::make_unique<Shortest>(cograd::whole_number(numbers[0]));
  };
  cograd::register_aggregator({"shortest", "K", make});
  return cograd::label_noise_study(argc, argv);
}
