#include "cograd/experiments/report/detection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cograd/engine/error.h"
#include "cograd/experiments/report/rank_correlation.h"

namespace cograd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check_lengths(const std::vector<double>& scores, const std::vector<bool>& positive) {
  require<ShapeError>(scores.size() == positive.size(), "[detection] {} scores of {} examples",
                      scores.size(), positive.size());
}

}  // namespace

double roc_auc(const std::vector<double>& scores, const std::vector<bool>& positive) {
  check_lengths(scores, positive);
  std::vector<double> known;
  std::vector<bool> is_positive;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) continue;
    known.push_back(scores[i]);
    is_positive.push_back(positive[i]);
  }
  const std::vector<double> ranks = ranks_of(known);
  double sum = 0.0, positives = 0.0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (!is_positive[i]) continue;
    sum += ranks[i];
    ++positives;
  }
  const double negatives = static_cast<double>(known.size()) - positives;
  if (positives == 0.0 || negatives == 0.0) return kNaN;
  return (sum - positives * (positives - 1.0) / 2.0) / (positives * negatives);
}

double precision_at_positives(const std::vector<double>& scores,
                              const std::vector<bool>& positive) {
  check_lengths(scores, positive);
  const auto wanted = static_cast<std::size_t>(std::count(positive.begin(), positive.end(), true));
  if (wanted == 0) return kNaN;
  const auto score = [&](std::size_t i) { return std::isnan(scores[i]) ? -kInfinity : scores[i]; };
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
  double found = 0.0;
  for (std::size_t begin = 0, end = 0; begin < wanted; begin = end) {
    std::size_t hits = 0;
    while (end < order.size() && score(order[end]) == score(order[begin])) {
      hits += positive[order[end++]] ? 1 : 0;
    }
    const auto taken = static_cast<double>(std::min(end, wanted) - begin);
    found += static_cast<double>(hits) * taken / static_cast<double>(end - begin);
  }
  return found / static_cast<double>(wanted);
}

std::string interval_text(const Interval& interval, int digits) {
  std::string estimate = fmt::format("{:.{}f}", interval.estimate, digits);
  if (!std::isfinite(interval.low)) return estimate;
  return fmt::format("{} [{:.{}f}, {:.{}f}]", estimate, interval.low, digits, interval.high,
                     digits);
}

}  // namespace cograd
