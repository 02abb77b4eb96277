// Figures: curves that gnuplot draws as SVG.
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
  int marker = 0;                     ///< likewise; hollow() makes others of the first three
  std::vector<double> low{}, high{};  ///< a band around the curve; empty: none
  bool failed = false;                ///< of a run that failed: thin, with crosses for markers
  bool reference = false;             ///< a level to compare with: thin, without markers
};

/// The hollow one of the same shape, for the markers 0 (circle), 1 (square), 2 (triangle).
constexpr int hollow(int marker) { return marker + 5; }

struct Figure {
  std::string title;  ///< for the page; not drawn
  std::string x_label, y_label;
  std::vector<Curve> curves;
  /// Ends of the y axis; if equal, the data decide.
  std::pair<double, double> y_range{0.0, 0.0};
  bool x_log = false;  ///< logarithmic x axis; all x must be positive then
};

/// Moves `values` apart just enough to leave `distance` between neighbours in [low, high]. Keeps
/// their order.
std::vector<double> spread(const std::vector<double>& values, double distance, double low,
                           double high);

/// The script for gnuplot: numbers and the form of the figure. Texts are untrusted and replaced by
/// placeholders: "[text 0]" (x axis), "[text 1]" (y axis), "[text 2]", ... (labels of the curves).
/// Points that are not finite, or not positive on a logarithmic axis, leave gaps.
std::string gnuplot_script(const Figure& figure);

/// An <svg> element for a page, with the width of its place and the page's text colour. Each figure
/// of a page needs another `id`. Long labels are cut. Throws IoError if gnuplot is missing or
/// fails.
std::string draw_svg(const Figure& figure, const std::string& id);

}  // namespace cograd
