// Figures: curves that gnuplot draws as SVG.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace cograd {

// The numbers of dashes and of filled markers that can be told apart.
constexpr int kDashes = 4, kMarkers = 5;

/// Colours that colour-blind readers can distinguish: six of Okabe and Ito's palette, violet and
/// olive.
inline constexpr std::array kPalette = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                        "#E69F00", "#56B4E9", "#7A5CC8", "#999933"};

struct Curve {
  std::string label;  ///< stands at the curve's right end, or in a legend below
  std::vector<double> x, y;
  std::string colour = "#0072B2";
  int dash = 0;                       ///< 0: solid; after kDashes they repeat
  int marker = 0;                     ///< below kMarkers, or hollow() of these
  std::vector<double> low{}, high{};  ///< a band around the curve; empty: none
  bool failed = false;                ///< of a run that failed: thin, ends with a cross
  bool reference = false;             ///< a level to compare with: thin, without markers
};

/// The hollow marker of the same shape, or the filled one of a hollow one.
constexpr int hollow(int marker) { return (marker + kMarkers) % (2 * kMarkers); }

struct Figure {
  std::string title;             ///< for the page; not drawn
  std::string x_label, y_label;  ///< with the unit
  std::vector<Curve> curves;
  /// Limits of what is shown, of which the y axis takes the part that the data need. It begins at
  /// the lower one, unless all data lie in the upper half. Values at x = 0, before training, may
  /// lie outside. Equal limits: there are none, and zero is always shown.
  std::pair<double, double> y_range{0.0, 0.0};
  bool x_log = false;  ///< logarithmic x axis; all x must be positive then
};

/// What keeps a stranger from reading the figure: an axis without a label, a curve without one, or
/// two curves of one colour, dash and marker that are not called the same. Empty if there is
/// nothing.
std::string figure_fault(const Figure& figure);

/// Changes markers, then dashes, then colours of curves that look like an earlier one. Markers
/// must be filled ones.
void tell_apart(std::vector<Curve>& curves);

/// Moves `values` apart just enough to leave `distance` between neighbours in [low, high]. Keeps
/// their order.
std::vector<double> spread(const std::vector<double>& values, double distance, double low,
                           double high);

/// The script for gnuplot: numbers and the form of the figure. Texts are untrusted and replaced by
/// placeholders: "[text 0]" (x axis), "[text 1]" (y axis), "[text 2]", ... (labels of the curves).
/// Points that are not finite, or not positive on a logarithmic axis, leave gaps; so do such limits
/// in their band.
std::string gnuplot_script(const Figure& figure);

/// An <svg> element for a page, with the width of its place and the page's text colour. Each figure
/// of a page needs another `id`. Long labels are cut. Throws IoError if gnuplot is missing or
/// fails.
std::string draw_svg(const Figure& figure, const std::string& id);

}  // namespace cograd
