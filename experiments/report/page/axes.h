// The axes of a figure: what they cover.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "cograd/experiments/report/page/figure.h"

namespace cograd {

/// Whether a point has a place: finite, below 1e12, and positive on a logarithmic axis.
bool drawable(const Figure& figure, double x, double y);

/// Calls visit(i) for the points of a curve that can be drawn.
template <class Visit>
void for_points(const Figure& figure, const Curve& curve, const Visit& visit) {
  for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    if (drawable(figure, curve.x[i], curve.y[i])) visit(i);
  }
}

/// The ends of the y axis, see Figure::y_range.
std::pair<double, double> y_range_of(const Figure& figure);

/// gnuplot's commands for a logarithmic x axis as wide as the data, with tics at 1, 2, 5, 10, ...
/// or, over more than two decades, at powers of ten.
std::string log_axis(const Figure& figure);

}  // namespace cograd
