// An aggregator that weighs whole group gradients by their inner products.
// Run: --aggregator aligned:3@30 --epochs 2 --train-size 600 --test-size 200
#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/gram/gram_aggregator.h"
#include "cograd/experiments/study/memorization_study.h"

/// The mean of the gradients that make no obtuse angle with the mean of all.
class Aligned final : public cograd::GramAggregator {
 public:
  using GramAggregator::GramAggregator;
  std::string name() const override { return fmt::format("aligned:{}", group_count()); }

 private:
  std::vector<double> weights_of(const cograd::GramMatrix& gram) const override {
    const auto k = static_cast<std::size_t>(gram.size());
    const std::vector<double> mean(k, 1.0 / static_cast<double>(k));
    std::vector<double> weights(k, 0.0);
    double kept = 0.0;
    for (std::size_t i = 0; i < k; ++i) {
      weights[i] = gram.product_with(static_cast<std::int64_t>(i), mean) >= 0.0 ? 1.0 : 0.0;
      kept += weights[i];
    }
    for (double& w : weights) w /= kept;  // not 0: the products add up to |mean|^2
    return weights;
  }
};

int main(int argc, char** argv) {
  const auto make = [](std::span<const double> numbers) {
    return std::make_unique<Aligned>(cograd::whole_number(numbers[0]));
  };
  cograd::register_aggregator({"aligned", "K", make});
  return cograd::label_noise_study(argc, argv);
}
