#include "cograd/engine/gradient_observer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace {

void check_groups(std::int64_t k, std::int64_t before) {
  require<ValueError>(k > 1, "[statistics] {} group: expected at least two", k);
  require<ValueError>(before == 0 || before == k,
                      "[statistics] a batch in {} groups after one in {}: expected as many", k,
                      before);
}

/// values[i] += sum over g of stack[g][i], and squares[i] that of their squares, for K rows.
template <class T>
void add_rows(const T* stack, std::int64_t k, std::vector<double>& values,
              std::vector<double>& squares) {
  constexpr std::int64_t kBlock = 2048;  // its sums stay in the cache from row to row
  const std::int64_t n = std::ssize(values);
  parallel_blocks(n, [&](std::int64_t first, std::int64_t size) {
    for (std::int64_t begin = first; begin < first + size; begin += kBlock) {
      const std::int64_t count = std::min(kBlock, first + size - begin);
      double *value = values.data() + begin, *square = squares.data() + begin;
      for (std::int64_t g = 0; g < k; ++g) {
        const T* row = stack + g * n + begin;
        for (std::int64_t i = 0; i < count; ++i) {
          const double v = row[i];
          value[i] += v;
          square[i] += v * v;
        }
      }
    }
  });
}

/// A sum over coordinates.
struct SignalToNoise {
  double sum = 0.0;
  std::int64_t coordinates = 0;

  double mean() const {
    return coordinates > 0 ? sum / static_cast<double>(coordinates)
                           : std::numeric_limits<double>::quiet_NaN();
  }
};

/// Of n group gradients with these sums, each with the share `inverse_size` of an example's
/// variance.
SignalToNoise signal_to_noise(const std::vector<double>& values, const std::vector<double>& squares,
                              double n, double inverse_size) {
  constexpr double kRounding = 1e-14;  // of a double that holds a mean square
  SignalToNoise result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (squares[i] == 0.0) continue;
    const double mean = values[i] / n, square = squares[i] / n;
    const double spread = square - mean * mean;
    const double variance = spread > kRounding * square ? spread * n / (n - 1) / inverse_size : 0.0;
    result.sum += mean * mean / variance;
    ++result.coordinates;
  }
  return result;
}

}  // namespace

GradientStatistics ObservedGradient::mean() const {
  GradientStatistics sum;
  for (const GradientStatistics& s : batches) sum += s;
  const auto n = static_cast<double>(batches.size());
  return {sum.squared_norm / n, sum.variance / n};
}

GradientObserver::GradientObserver(std::vector<Parameter*> parameters, ObserverOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const Parameter* p : parameters_) sums_[p];
}

BackwardOptions GradientObserver::options() {
  for (Parameter* p : parameters_) p->norms = {};  // the pass may not reach all of them
  BackwardOptions options{.measure_coherence = true};
  if (options_.gsnr || options_.cosines) {
    options.observe = [this](const Parameter& p, const Tensor& groups) { observe(p, groups); };
  }
  return options;
}

void GradientObserver::observe(const Parameter& parameter, const Tensor& groups) {
  const auto found = sums_.find(&parameter);
  if (found == sums_.end()) return;
  Sums& sums = found->second;
  const std::int64_t k = groups.size(0);
  check_groups(k, groups_);
  if (options_.gsnr) add_moments(groups, sums);
  if (!options_.cosines) return;
  if (!sums.products.defined()) {
    sums.products = Tensor::zeros({k, k}, Dtype::f64, groups.backend());
  }
  groups.backend().add_inner_products(groups, sums.products);
}

void GradientObserver::add_moments(const Tensor& groups, Sums& sums) {
  const bool on_host = groups.backend().device().type == DeviceType::cpu;
  const Tensor stack = on_host ? groups : groups.to(cpu_backend());
  const std::int64_t k = stack.size(0);
  sums.values.resize(static_cast<std::size_t>(stack.numel() / k));
  sums.squares.resize(sums.values.size());
  if (stack.dtype() == Dtype::f64) {
    add_rows(stack.data<double>(), k, sums.values, sums.squares);
  } else {
    add_rows(stack.data<float>(), k, sums.values, sums.squares);
  }
  sums.groups += k;
}

void GradientObserver::add(const Groups& groups) {
  check_groups(groups.count(), groups_);
  groups_ = groups.count();
  ++batches_;
  inverse_sizes_ += mean_inverse_size(groups);
  for (const Parameter* p : parameters_) {
    Sums& sums = sums_.at(p);
    sums.norms += p->norms;
    sums.batches.push_back(statistics_of(p->norms, groups));
  }
}

std::vector<ObservedGradient> GradientObserver::results() const {
  require<ValueError>(batches_ > 0, "[statistics] no batch: expected at least one");
  const double inverse_size = inverse_sizes_ / static_cast<double>(batches_);
  const auto matrix_size = static_cast<std::size_t>(groups_ * groups_);
  std::vector<ObservedGradient> results;
  ObservedGradient total{kTotal, {}};
  total.batches.resize(static_cast<std::size_t>(batches_));
  SignalToNoise all;
  std::vector<double> all_products(matrix_size, 0.0);
  for (const Parameter* p : parameters_) {
    const Sums& sums = sums_.at(p);
    ObservedGradient& result = results.emplace_back(ObservedGradient{p->name, sums.norms});
    result.batches = sums.batches;
    total.norms += sums.norms;
    for (std::size_t b = 0; b < total.batches.size(); ++b) total.batches[b] += sums.batches[b];
    const SignalToNoise own =
        signal_to_noise(sums.values, sums.squares, static_cast<double>(sums.groups), inverse_size);
    result.gsnr = own.mean();
    all.sum += own.sum;
    all.coordinates += own.coordinates;
    std::vector<double> products(matrix_size, 0.0);
    if (sums.products.defined()) products = sums.products.to_vector<double>();
    for (std::size_t i = 0; i < matrix_size; ++i) all_products[i] += products[i];
    result.products = GramMatrix(groups_, std::move(products));
  }
  total.gsnr = all.mean();
  total.products = GramMatrix(groups_, std::move(all_products));
  results.push_back(std::move(total));
  return results;
}

}  // namespace cograd
