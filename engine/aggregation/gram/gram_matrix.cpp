#include "cograd/engine/aggregation/gram/gram_matrix.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cograd/engine/error.h"

namespace cograd {

GramMatrix::GramMatrix(std::int64_t k) : k_(k), products_(static_cast<std::size_t>(k * k), 0.0) {}

GramMatrix::GramMatrix(std::int64_t k, std::vector<double> products)
    : k_(k), products_(std::move(products)) {
  require<ShapeError>(std::ssize(products_) == k * k,
                      "[gram] {} products: expected {} x {} for {} gradients", products_.size(), k,
                      k, k);
}

GramMatrix GramMatrix::of(std::int64_t k, std::span<const double> gradients) {
  require<ShapeError>(k > 0 && std::ssize(gradients) % k == 0,
                      "[gram] {} values: expected as many for each of {} gradients",
                      gradients.size(), k);
  const std::size_t n = gradients.size() / static_cast<std::size_t>(k);
  GramMatrix gram(k);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) {
      const auto row = [&](std::int64_t r) {
        return gradients.data() + static_cast<std::size_t>(r) * n;
      };
      double sum = 0.0;
      for (std::size_t c = 0; c < n; ++c) sum += row(i)[c] * row(j)[c];
      gram(i, j) = sum;
    }
  }
  return gram;
}

double GramMatrix::norm(std::int64_t i) const { return std::sqrt((*this)(i, i)); }

double GramMatrix::squared_distance(std::int64_t i, std::int64_t j) const {
  return std::max(0.0, (*this)(i, i) + (*this)(j, j) - 2.0 * (*this)(i, j));
}

double GramMatrix::cosine(std::int64_t i, std::int64_t j) const {
  const double norms = norm(i) * norm(j);
  return norms > 0.0 ? (*this)(i, j) / norms : 0.0;
}

double GramMatrix::product_with(std::int64_t i, std::span<const double> weights) const {
  double sum = 0.0;
  for (std::int64_t j = 0; j < k_; ++j) sum += weights[static_cast<std::size_t>(j)] * (*this)(i, j);
  return sum;
}

double GramMatrix::squared_norm_of(std::span<const double> weights) const {
  double sum = 0.0;
  for (std::int64_t i = 0; i < k_; ++i) {
    sum += weights[static_cast<std::size_t>(i)] * product_with(i, weights);
  }
  return std::max(0.0, sum);
}

std::vector<double> GramMatrix::distances_to(std::span<const double> weights) const {
  const double squared_norm = squared_norm_of(weights);
  std::vector<double> distances;
  for (std::int64_t i = 0; i < k_; ++i) {
    const double squared = squared_norm + (*this)(i, i) - 2.0 * product_with(i, weights);
    distances.push_back(std::sqrt(std::max(0.0, squared)));
  }
  return distances;
}

bool GramMatrix::finite() const {
  return std::all_of(products_.begin(), products_.end(), [](double p) { return std::isfinite(p); });
}

}  // namespace cograd
