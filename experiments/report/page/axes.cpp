#include "cograd/experiments/report/page/axes.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace cograd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Larger numbers leave gaps.
constexpr double kLargest = 1e12;

struct Range {
  double low = kInfinity, high = -kInfinity;

  bool empty() const { return low > high; }
  void cover(double y) { low = std::min(low, y), high = std::max(high, y); }
};

/// What the curves and their bands cover from x = `first_x` on.
Range covered(const Figure& figure, double first_x) {
  Range range;
  for (const Curve& curve : figure.curves) {
    for_points(figure, curve, [&](std::size_t i) {
      if (curve.x[i] < first_x) return;
      range.cover(curve.y[i]);
      if (i >= std::min(curve.low.size(), curve.high.size())) return;
      for (const double end : {curve.low[i], curve.high[i]}) {
        if (drawable(figure, curve.x[i], end)) range.cover(end);
      }
    });
  }
  return range;
}

/// 1, 2 or 5 times a power of ten, so that four to ten steps cover `span`.
double step_for(double span) {
  const double power = std::pow(10.0, std::floor(std::log10(span / 4.0)));
  const double factor = span / 4.0 / power;
  return power * (factor < 2.0 ? 1.0 : factor < 5.0 ? 2.0 : 5.0);
}

}  // namespace

bool drawable(const Figure& figure, double x, double y) {
  return std::abs(x) < kLargest && std::abs(y) < kLargest && (!figure.x_log || x > 0.0);
}

std::pair<double, double> y_range_of(const Figure& figure) {
  const auto [least, most] = figure.y_range;
  if (least == most) {  // zero is always visible
    Range range = covered(figure, -kInfinity);
    range.cover(0.0);
    const double margin = std::max(0.05 * (range.high - range.low), 0.5);
    return {range.low < 0.0 ? range.low - margin : range.low, range.high + margin};
  }
  Range range = covered(figure, std::numeric_limits<double>::min());
  if (range.empty()) range = covered(figure, -kInfinity);
  if (range.empty()) return figure.y_range;
  if (range.low <= (least + most) / 2.0) range.low = least;  // what halves must look so
  const double least_span = 0.02 * (most - least);
  const double step = step_for(std::max(range.high - range.low, least_span));
  double low = std::max(least, step * std::floor(range.low / step));
  const double high = std::min(most, step * std::ceil(range.high / step));
  if (high - low < least_span) low = std::max(least, high - least_span);
  return {low, std::max(high, low + least_span)};
}

std::string log_axis(const Figure& figure) {
  constexpr double kMargin = 1.15;
  Range range;
  for (const Curve& curve : figure.curves) {
    for_points(figure, curve, [&](std::size_t i) { range.cover(curve.x[i]); });
  }
  if (range.empty()) return "";
  const bool wide = range.high > 100.0 * range.low;
  std::string tics;
  for (double power = std::pow(10.0, std::floor(std::log10(range.low))); power <= range.high;
       power *= 10.0) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (wide && factor != 1.0) continue;
      tics += fmt::format("{}{:.6g}", tics.empty() ? "" : ",", factor * power);
    }
  }
  return fmt::format("set logscale x\nunset mxtics\nset xrange [{:.6g}:{:.6g}]\nset xtics ({})\n",
                     range.low / kMargin, range.high * kMargin, tics);
}

}  // namespace cograd
