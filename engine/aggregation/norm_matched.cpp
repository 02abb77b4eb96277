#include "cograd/engine/aggregation/norm_matched.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cograd/engine/tensor.h"

namespace cograd {
namespace {

template <class T>
double norm_of(const std::vector<T>& x) {
  double squares = 0.0;
  for (const T v : x) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

template <class T>
void rescale(Tensor& gradient, const Tensor& other) {
  std::vector<T> values = gradient.to_vector<T>();
  const double norm = norm_of(values);
  const double factor = norm == 0.0 ? 0.0 : norm_of(other.to_vector<T>()) / norm;
  for (T& value : values) value = static_cast<T>(static_cast<double>(value) * factor);
  gradient.copy_from(Tensor::from(values, gradient.shape(), gradient.backend()));
}

}  // namespace

NormMatched::NormMatched(std::unique_ptr<Aggregator> direction, std::unique_ptr<Aggregator> norm)
    : direction_(std::move(direction)), norm_(std::move(norm)) {
  for (const Aggregator* rule : {direction_.get(), norm_.get()}) {
    require<ValueError>(rule->coordinate_wise() && rule->window() == 1,
                        "[aggregator] {}: {} has no norm per parameter and step: expected two of "
                        "mean, m3, mom:K, trimmed:K,T, ...",
                        name(), rule->name());
  }
}

std::string NormMatched::name() const { return direction_->name() + "~" + norm_->name(); }

std::int64_t NormMatched::groups(std::int64_t batch_size) const {
  const std::int64_t of_direction = direction_->groups(batch_size);
  const std::int64_t of_norm = norm_->groups(batch_size);
  require<ValueError>(of_direction == of_norm || std::min(of_direction, of_norm) == 1,
                      "[aggregator] {}: {} and {} groups: expected the same number", name(),
                      of_direction, of_norm);
  return std::max(of_direction, of_norm);
}

void NormMatched::reduce(Tensor& groups, Tensor& gradient) const {
  Tensor other = Tensor::empty_like(gradient);
  reduce_groups(norm_->over_groups(), groups, other);
  reduce_groups(direction_->over_groups(), groups, gradient);
  if (gradient.dtype() == Dtype::f64) {
    rescale<double>(gradient, other);
  } else {
    rescale<float>(gradient, other);
  }
}

}  // namespace cograd
