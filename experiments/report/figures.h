// Figures: curves drawn by gnuplot as SVG for a page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cograd {

struct Curve {
  std::string label;  ///< stands at the curve's right end
  std::vector<double> x, y;
  std::string colour = "#0072B2";
  int dash = 0;                       ///< 0: solid; any number, they repeat
  int marker = 0;                     ///< likewise
  std::vector<double> low{}, high{};  ///< a band around the curve; empty: none
};

struct Figure {
  std::string title;  ///< for the page: not drawn
  std::string x_label, y_label;
  std::vector<Curve> curves;
  /// Low and high end of the y axis; equal: as the data needs.
  std::pair<double, double> y_range{0.0, 0.0};
  bool x_log = false;  ///< logarithmic x axis; all x must be positive then
};

/// Moves `values` apart, as little as it takes to leave `distance` between neighbours inside
/// [low, high]; in the order given.
std::vector<double> spread(const std::vector<double>& values, double distance, double low,
                           double high);

/// What gnuplot is told.
std::string gnuplot_script(const Figure& figure);

/// An <svg> element to stand in a page: it takes the width of its place and the page's text colour.
/// `id` must differ between the figures of a page. Throws IoError if gnuplot is missing or fails.
std::string draw_svg(const Figure& figure, const std::string& id);

}  // namespace cograd
