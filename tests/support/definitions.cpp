#include "tests/support/definitions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cograd::testing {
namespace {

using Values = std::vector<double>;

double mean(const Values& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double median(Values x) {
  std::sort(x.begin(), x.end());
  return (x[(x.size() - 1) / 2] + x[x.size() / 2]) / 2.0;
}

double sum_of_signs(const Values& x) {
  double sum = 0.0;
  for (const double value : x) sum += value > 0.0 ? 1.0 : value < 0.0 ? -1.0 : 0.0;
  return sum;
}

}  // namespace

Definition definition_of(const Reduction& reduction) {
  return [=](Values x) {
    std::sort(x.begin(), x.end());
    const std::int64_t k = std::ssize(x);
    std::int64_t first = 0;
    std::int64_t last = k - 1;
    if (reduction.kind == Reduction::Kind::median) first = (k - 1) / 2, last = k / 2;
    if (reduction.kind == Reduction::Kind::trimmed_mean) first = reduction.trim, last -= first;
    if (reduction.kind == Reduction::Kind::winsorized_mean) {
      const double low = x[static_cast<std::size_t>(percentile_index(k, reduction.percent))];
      const double high = x[static_cast<std::size_t>(percentile_index(k, 100 - reduction.percent))];
      for (double& value : x) value = std::clamp(value, low, high);
    }
    return mean({x.begin() + first, x.begin() + last + 1});
  };
}

Definition mean_around_median(std::int64_t outliers) {
  return [=](Values x) {
    const double middle = median(x);
    std::stable_sort(x.begin(), x.end(), [=](double a, double b) {
      return std::abs(a - middle) < std::abs(b - middle);
    });
    x.resize(x.size() - static_cast<std::size_t>(outliers));
    return mean(x);
  };
}

Definition and_mask(double agreement) {
  return [=](const Values& x) {
    const bool agree = std::abs(sum_of_signs(x)) >= agreement * static_cast<double>(x.size());
    return agree ? mean(x) : 0.0;
  };
}

Definition sign_majority() {
  return [](const Values& x) {
    const double votes = sum_of_signs(x);
    return votes > 0.0 ? 1.0 : votes < 0.0 ? -1.0 : 0.0;
  };
}

Definition huber_mean() {
  return [](const Values& x) {
    double m = median(x);
    Values distances(x);
    for (double& value : distances) value = std::abs(value - m);
    const double limit = 1.345 * 1.4826 * median(distances);
    for (int step = 0; step < 5; ++step) {
      double sum = 0.0, weights = 0.0;
      for (const double value : x) {
        const double weight = std::abs(value - m) > limit ? limit / std::abs(value - m) : 1.0;
        sum += weight * value;
        weights += weight;
      }
      if (weights > 0.0) m = sum / weights;
    }
    return m;
  };
}

}  // namespace cograd::testing
