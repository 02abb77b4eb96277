#include "cograd/engine/aggregation/gram/pcgrad.h"

#include "cograd/engine/error.h"

namespace cograd {

std::string PcGrad::name() const { return fmt::format("pcgrad:{}", group_count()); }

std::vector<double> PcGrad::weights_of(const GramMatrix& gram) const {
  const std::int64_t k = gram.size();
  std::vector<double> weights(static_cast<std::size_t>(k), 0.0);
  for (std::int64_t i = 0; i < k; ++i) {
    std::vector<double> p(static_cast<std::size_t>(k), 0.0);  // p_i, as weights of the g
    p[static_cast<std::size_t>(i)] = 1.0;
    for (std::int64_t step = 1; step < k; ++step) {
      const std::int64_t j = (i + step) % k;
      const double product = gram.product_with(j, p);
      if (product < 0.0) p[static_cast<std::size_t>(j)] -= product / gram(j, j);
    }
    for (std::size_t j = 0; j < weights.size(); ++j) weights[j] += p[j] / static_cast<double>(k);
  }
  return weights;
}

}  // namespace cograd
