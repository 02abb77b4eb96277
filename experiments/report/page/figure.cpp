// Draws figures with gnuplot. Texts are inserted into the SVG afterwards, so none is ever part of a
// script.
#include "cograd/experiments/report/page/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/report/page/gnuplot.h"
#include "cograd/experiments/report/page/html.h"

namespace cograd {
namespace {

// Small enough that the text stays legible where a phone shows the figure at 350 pixels.
constexpr int kWidth = 460;
constexpr int kHeight = 330;
constexpr int kFontSize = 15;
// A label's height as a share of the y axis.
constexpr double kLabelDistance = 0.075;

// In characters: longer labels leave no room for the curves.
constexpr std::size_t kLongestLabel = 36;
// Larger numbers leave gaps.
constexpr double kLargest = 1e12;

constexpr std::array kDashes = {"solid", "(9,5)", "(3,4)", "(12,4,3,4)"};
constexpr std::array kMarkers = {7, 5, 9, 13, 11, 6, 4, 8};  // gnuplot's point types
constexpr int kFailedMarker = 2;                             // a cross

bool drawable(const Figure& figure, double x, double y) {
  return std::abs(x) < kLargest && std::abs(y) < kLargest && (!figure.x_log || x > 0.0);
}

/// Calls visit(x, y) for the points of a curve that can be drawn.
template <class Visit>
void for_points(const Figure& figure, const Curve& curve, const Visit& visit) {
  for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    if (drawable(figure, curve.x[i], curve.y[i])) visit(curve.x[i], curve.y[i]);
  }
}

std::pair<double, double> y_range_of(const Figure& figure) {
  if (figure.y_range.first < figure.y_range.second) return figure.y_range;
  double low = 0.0, high = 0.0;  // zero is always visible
  for (const Curve& curve : figure.curves) {
    for_points(figure, curve,
               [&](double, double y) { low = std::min(low, y), high = std::max(high, y); });
  }
  const double margin = std::max(0.05 * (high - low), 0.5);
  return {low < 0.0 ? low - margin : low, high + margin};
}

/// A logarithmic x axis as wide as the data, with tics at 1, 2, 5, 10, ... or, over more than two
/// decades, at powers of ten.
std::string log_axis(const Figure& figure) {
  constexpr double kMargin = 1.15;
  double low = std::numeric_limits<double>::infinity(), high = 0.0;
  for (const Curve& curve : figure.curves) {
    for_points(figure, curve,
               [&](double x, double) { low = std::min(low, x), high = std::max(high, x); });
  }
  if (high == 0.0) return "";
  const bool wide = high > 100.0 * low;
  std::string tics;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10.0) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (wide && factor != 1.0) continue;
      tics += fmt::format("{}{:.6g}", tics.empty() ? "" : ",", factor * power);
    }
  }
  return fmt::format("set logscale x\nunset mxtics\nset xrange [{:.6g}:{:.6g}]\nset xtics ({})\n",
                     low / kMargin, high * kMargin, tics);
}

/// The placeholder of a text in the script.
std::string placeholder(std::size_t text) { return fmt::format("'[text {}]'", text); }

/// The label as it is drawn.
std::string short_label(const std::string& label) {
  const std::string text = printable(label);
  return display_width(text) <= kLongestLabel ? text : wrapped(text, kLongestLabel - 1)[0] + "…";
}

/// The texts of a figure in the order of their placeholders.
std::vector<std::string> texts_of(const Figure& figure) {
  std::vector<std::string> texts{figure.x_label, figure.y_label};
  for (const Curve& curve : figure.curves) texts.push_back(short_label(curve.label));
  return texts;
}

/// Replaces "[text N]" in `svg` by the texts of the figure.
std::string with_texts(std::string_view svg, const std::vector<std::string>& texts) {
  constexpr std::string_view kBegin = "[text ";
  std::string result;
  for (std::size_t at = svg.find(kBegin); at != std::string_view::npos; at = svg.find(kBegin)) {
    result += svg.substr(0, at);
    svg.remove_prefix(at + kBegin.size());
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(svg.data(), svg.data() + svg.size(), number);
    const auto length = static_cast<std::size_t>(end - svg.data());
    require<IoError>(error == std::errc() && number < texts.size() && svg.substr(length, 1) == "]",
                     "[figures] gnuplot drew a text that it was not given");
    result += escaped(texts[number]);
    svg.remove_prefix(length + 1);
  }
  return result.append(svg);
}

/// The rows of a curve's data: a blank line is a gap.
std::string rows_of(const Figure& figure, const Curve& curve) {
  const bool band = !curve.low.empty();
  std::string rows;
  for (std::size_t j = 0; j < curve.x.size(); ++j) {
    const double x = curve.x[j], y = curve.y[j];
    if (!drawable(figure, x, y) ||
        (band && !(drawable(figure, x, curve.low[j]) && drawable(figure, x, curve.high[j])))) {
      rows += "\n";
      continue;
    }
    rows += fmt::format("{:.6g} {:.6g}", x, y);
    if (band) rows += fmt::format(" {:.6g} {:.6g}", curve.low[j], curve.high[j]);
    rows += "\n";
  }
  return rows;
}

void check_colour(const std::string& colour) {
  const bool ok = colour.size() == 7 && colour[0] == '#' &&
                  colour.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
  require<ValueError>(ok, "[figures] '{}' is no colour: expected #RRGGBB", printable(colour));
}

}  // namespace

std::vector<double> spread(const std::vector<double>& values, double distance, double low,
                           double high) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> places(values);
  double next = low;
  for (const std::size_t i : order) {
    places[i] = std::max(places[i], next);
    next = places[i] + distance;
  }
  next = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    places[*i] = std::min(places[*i], next);
    next = places[*i] - distance;
  }
  return places;
}

std::string gnuplot_script(const Figure& figure) {
  const auto [low, high] = y_range_of(figure);
  std::size_t longest = 0;
  std::vector<double> ends;
  std::vector<std::size_t> drawn;  // curves that have points
  for (std::size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    std::optional<double> end;
    for_points(figure, curve, [&](double, double y) { end = y; });
    if (!end) continue;
    longest = std::max(longest, display_width(short_label(curve.label)));
    ends.push_back(*end);
    drawn.push_back(i);
  }
  const std::vector<double> places = spread(ends, kLabelDistance * (high - low), low, high);

  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic noenhanced font 'sans-serif,{}'\n"
      "set xlabel {} offset 0,0.4\nset ylabel {} offset 1.5,0\n"
      "set yrange [{:.6g}:{:.6g}]\nset lmargin 7\nset rmargin {:.1f}\nset tmargin 0.8\n"
      "set border 3 lw 1\nset tics nomirror scale 0.5\nset grid ytics lc rgb '#888888' lw 0.4 dt "
      "solid\nunset key\n",
      kWidth, kHeight, kFontSize, placeholder(0), placeholder(1), low, high,
      3 + 0.95 * static_cast<double>(std::max<std::size_t>(longest, 6)));
  if (drawn.empty()) return script + "plot [0:1] 1/0\n";  // the frame alone
  if (figure.x_log) script += log_axis(figure);
  std::string plot, bands;  // bands lie below all curves
  for (std::size_t j = 0; j < drawn.size(); ++j) {
    const std::size_t i = drawn[j];
    const Curve& curve = figure.curves[i];
    check_colour(curve.colour);
    const int marker = curve.failed
                           ? kFailedMarker
                           : kMarkers[static_cast<std::size_t>(curve.marker) % kMarkers.size()];
    const std::string style = fmt::format("pt {} lc rgb '{}'", marker, curve.colour);
    script += fmt::format("$curve{} << END\n{}END\n", i, rows_of(figure, curve));
    if (!curve.low.empty()) {
      bands += fmt::format(
          "{}$curve{} using 1:3:4 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}'",
          bands.empty() ? "" : ", ", i, curve.colour);
    }
    script += fmt::format("set label {} at graph 1.02, first {:.6g} left {} offset 0.8,-0.15\n",
                          placeholder(2 + i), places[j],
                          curve.reference ? "" : "point " + style + " ps 0.7");
    plot += j ? ", " : "";
    if (curve.reference) {
      plot += fmt::format("$curve{} with lines lw 1 lc rgb '{}'", i, curve.colour);
      continue;
    }
    plot +=
        fmt::format("$curve{} with linespoints lw {} dt {} {} ps 0.6{}", i, curve.failed ? 1 : 2,
                    kDashes[static_cast<std::size_t>(curve.dash) % kDashes.size()], style,
                    curve.failed ? "" : " pn 7");
  }
  return script + "plot " + bands + (bands.empty() ? "" : ", ") + plot + "\n";
}

std::string draw_svg(const Figure& figure, const std::string& id) {
  std::string svg = run_gnuplot(gnuplot_script(figure));
  const std::size_t begin = svg.find("<svg");
  require<IoError>(begin != std::string::npos, "[figures] gnuplot drew no SVG for '{}'",
                   printable(figure.title));
  svg.erase(0, begin);
  // Black becomes the page's text colour; ids become the figure's own.
  svg = replaced(svg, "\"black\"", "\"currentColor\"");
  svg = replaced(svg, "'black'", "'currentColor'");
  svg = replaced(svg, "id='", "id='" + id + "-");
  svg = replaced(svg, "id=\"", "id=\"" + id + "-");
  svg = replaced(svg, "'#gp", "'#" + id + "-gp");
  svg = with_texts(svg, texts_of(figure));
  return replaced(svg, "<title>Gnuplot</title>", "<title>" + escaped(figure.title) + "</title>");
}

}  // namespace cograd
