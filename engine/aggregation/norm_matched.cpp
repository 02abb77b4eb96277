#include "cograd/engine/aggregation/norm_matched.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cograd/engine/backend.h"
#include "cograd/engine/tensor.h"

namespace cograd {
namespace {

template <class T>
void multiply(Tensor& x, double factor) {
  std::vector<T> values = x.to_vector<T>();
  for (T& value : values) value = static_cast<T>(static_cast<double>(value) * factor);
  x.copy_from(Tensor::from(values, x.shape(), x.backend()));
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
  Backend& backend = groups.backend();
  Tensor both = Tensor::empty(gradient.shape().prepended(2), gradient.dtype(), backend);
  const Aggregator* rules[] = {direction_.get(), norm_.get()};
  for (std::int64_t row = 0; row < 2; ++row) {
    Tensor out = both.rows(row, row + 1).reshape(gradient.shape());
    backend.reduce(rules[row]->over_groups(), groups, out, nullptr);
  }
  Tensor products = Tensor::zeros({2, 2}, Dtype::f64, backend);
  backend.add_inner_products(both, products);
  const std::vector<double> squares = products.to_vector<double>();  // on the diagonal
  gradient.copy_from(both.rows(0, 1).reshape(gradient.shape()));
  const double factor = squares[0] == 0.0 ? 0.0 : std::sqrt(squares[3] / squares[0]);
  if (gradient.dtype() == Dtype::f64) {
    multiply<double>(gradient, factor);
  } else {
    multiply<float>(gradient, factor);
  }
}

}  // namespace cograd
