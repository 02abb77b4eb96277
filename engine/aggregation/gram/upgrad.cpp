#include "cograd/engine/aggregation/gram/upgrad.h"

#include "cograd/engine/aggregation/gram/nonnegative_least_squares.h"
#include "cograd/engine/error.h"

namespace cograd {

std::string UpGrad::name() const { return fmt::format("upgrad:{}", group_count()); }

std::vector<double> UpGrad::weights_of(const GramMatrix& gram) const {
  // The projection of g_k is J^T (e_k + a) with a >= 0 minimizing (e_k + a)^T G (e_k + a).
  const std::int64_t k = gram.size();
  std::vector<double> weights(static_cast<std::size_t>(k), 0.0);
  for (std::int64_t i = 0; i < k; ++i) {
    std::vector<double> descent;
    for (std::int64_t j = 0; j < k; ++j) descent.push_back(-gram(i, j));
    std::vector<double> projection = nonnegative_least_squares(gram, descent);
    projection[static_cast<std::size_t>(i)] += 1.0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      weights[j] += projection[j] / static_cast<double>(k);
    }
  }
  return weights;
}

}  // namespace cograd
