// The Gram matrix of K group gradients, on which aggregators decide that weigh whole gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cograd {

/// [K, K]: the inner products of the group gradients over all parameters of the network.
class GramMatrix {
 public:
  /// All zero.
  explicit GramMatrix(std::int64_t k);
  /// Row by row. Throws ShapeError unless there are K^2 products.
  GramMatrix(std::int64_t k, std::vector<double> products);
  /// Of K given gradients of n values each, [K, n].
  static GramMatrix of(std::int64_t k, std::span<const double> gradients);

  std::int64_t size() const { return k_; }
  double& operator()(std::int64_t i, std::int64_t j) { return products_[index(i, j)]; }
  double operator()(std::int64_t i, std::int64_t j) const { return products_[index(i, j)]; }

  double norm(std::int64_t i) const;
  /// || g_i - g_j ||^2, at least 0.
  double squared_distance(std::int64_t i, std::int64_t j) const;
  /// 0 if either gradient is 0.
  double cosine(std::int64_t i, std::int64_t j) const;
  /// <g_i, sum_k weights[k] g_k>
  double product_with(std::int64_t i, std::span<const double> weights) const;
  /// || sum_k weights[k] g_k ||^2, at least 0.
  double squared_norm_of(std::span<const double> weights) const;
  /// || g_i - sum_k weights[k] g_k || for each i.
  std::vector<double> distances_to(std::span<const double> weights) const;
  bool finite() const;

 private:
  std::size_t index(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * k_ + j);
  }

  std::int64_t k_;
  std::vector<double> products_;
};

}  // namespace cograd
