#include "cograd/engine/aggregation/gram/mgda.h"

#include <numeric>

#include "cograd/engine/aggregation/gram/nonnegative_least_squares.h"
#include "cograd/engine/error.h"

namespace cograd {

std::string Mgda::name() const { return fmt::format("mgda:{}", group_count()); }

std::vector<double> Mgda::weights_of(const GramMatrix& gram) const {
  // For w = s u with u in the simplex, w^T G w + (sum w - 1)^2 = s^2 u^T G u + (s - 1)^2: whatever
  // s is, the best u is the one we want.
  const std::int64_t k = gram.size();
  double trace = 0.0;
  for (std::int64_t i = 0; i < k; ++i) trace += gram(i, i);
  const double scale = trace > 0.0 ? static_cast<double>(k) / trace : 1.0;
  GramMatrix normal(k);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) normal(i, j) = scale * gram(i, j) + 1.0;
  }
  std::vector<double> weights =
      nonnegative_least_squares(normal, std::vector<double>(static_cast<std::size_t>(k), 1.0));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w /= sum;
  return weights;
}

}  // namespace cograd
