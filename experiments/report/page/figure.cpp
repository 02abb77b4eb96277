// Draws figures with gnuplot. Texts are inserted into the SVG afterwards, so none is ever part of a
// script.
#include "cograd/experiments/report/page/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/report/page/axes.h"
#include "cograd/experiments/report/page/gnuplot.h"
#include "cograd/experiments/report/page/html.h"
#include "cograd/experiments/report/page/legend.h"

namespace cograd {
namespace {

constexpr const char* kBand = "1:3:4";  // the columns of a curve's data

/// The placeholder of a text in the script.
std::string placeholder(std::size_t text) { return fmt::format("'[text {}]'", text); }

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

/// The rows of a curve's data: a blank line is a gap, NaN one of the band alone.
std::string rows_of(const Figure& figure, const Curve& curve) {
  std::string rows;
  for (std::size_t j = 0; j < curve.x.size(); ++j) {
    const double x = curve.x[j], y = curve.y[j];
    if (drawable(figure, x, y)) {
      rows += fmt::format("{:.6g} {:.6g}", x, y);
      if (!curve.low.empty()) {
        const bool band = drawable(figure, x, curve.low[j]) && drawable(figure, x, curve.high[j]);
        rows += band ? fmt::format(" {:.6g} {:.6g}", curve.low[j], curve.high[j]) : " NaN NaN";
      }
    }
    rows += "\n";
  }
  return rows;
}

/// Marks where a failed run ended.
std::string cross_at_end(const Figure& figure, const Curve& curve) {
  std::string script;
  for_points(figure, curve, [&](std::size_t i) {
    script = fmt::format("set label '' at {:.6g}, {:.6g} point pt 2 lc rgb '{}' ps 1\n", curve.x[i],
                         curve.y[i], curve.colour);
  });
  return script;
}

/// The curves that have points.
std::vector<std::size_t> drawn_of(const Figure& figure) {
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < figure.curves.size(); ++i) {
    bool any = false;
    for_points(figure, figure.curves[i], [&](std::size_t) { any = true; });
    if (any) drawn.push_back(i);
  }
  return drawn;
}

/// Calls what is drawn by the labels of the curves: a browser shows them where the mouse is.
std::string with_plot_titles(std::string svg, const Figure& figure) {
  for (std::size_t i = 0; i < figure.curves.size(); ++i) {
    const std::string label = escaped(figure.curves[i].label);
    svg = replaced(svg, fmt::format("<title>$curve{}</title>", i), "<title>" + label + "</title>");
    svg = replaced(svg, fmt::format("<title>$curve{} using {}</title>", i, kBand),
                   "<title>" + label + ": range</title>");
  }
  return svg;
}

/// What a reader sees of a curve: colour, dash, marker.
using Look = std::tuple<std::string, int, int>;
Look look_of(const Curve& curve) {
  if (curve.reference) return {curve.colour, curve.dash % kDashes, -1};
  return {curve.colour, curve.dash % kDashes, curve.marker % (2 * kMarkers)};
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

std::string figure_fault(const Figure& figure) {
  if (figure.x_label.empty() || figure.y_label.empty()) {
    return fmt::format("'{}' has an axis without a label", figure.title);
  }
  std::map<Look, std::string> seen;
  for (const Curve& curve : figure.curves) {
    if (curve.label.empty()) return fmt::format("'{}' has a curve without a label", figure.title);
    const auto [at, fresh] = seen.try_emplace(look_of(curve), curve.label);
    if (!fresh && at->second != curve.label) {
      return fmt::format("'{}': '{}' looks like '{}'", figure.title, curve.label, at->second);
    }
  }
  return "";
}

void tell_apart(std::vector<Curve>& curves) {
  std::set<Look> taken;
  for (Curve& curve : curves) {
    Curve other = curve;
    for (int i = 1; !taken.insert(look_of(other)).second; ++i) {
      const std::size_t colour = static_cast<std::size_t>(i) / (kMarkers * kDashes);
      if (colour > kPalette.size()) return;  // all are taken
      if (colour > 0) other.colour = kPalette[colour - 1];
      other.marker = (curve.marker + i) % kMarkers;
      other.dash = (curve.dash + i / kMarkers) % kDashes;
    }
    curve = other;
  }
}

std::string gnuplot_script(const Figure& figure) {
  const auto [low, high] = y_range_of(figure);
  const std::vector<std::size_t> drawn = drawn_of(figure);
  std::vector<double> ends;
  std::vector<std::string> texts;
  for (const std::size_t i : drawn) {
    const Curve& curve = figure.curves[i];
    check_colour(curve.colour);
    ends.push_back(0.0);
    for_points(figure, curve, [&](std::size_t j) { ends.back() = curve.y[j]; });
    texts.push_back(placeholder(2 + i));
  }
  int height = kFigureHeight;
  const std::string key = legend(figure, drawn, texts, ends, low, high, height);
  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic noenhanced font 'sans-serif,{}'\n"
      "set xlabel {} offset 0,0.4\nset ylabel {} offset 1.5,0\n"
      "set yrange [{:.6g}:{:.6g}]\nset lmargin 7\nset tmargin 0.8\n"
      "set border 3 lw 1\nset tics nomirror scale 0.5\nset grid ytics lc rgb '#888888' lw 0.4 dt "
      "solid\nunset key\n",
      kFigureWidth, height, kFontSize, placeholder(0), placeholder(1), low, high);
  script += key;
  if (drawn.empty()) return script + "plot [0:1] 1/0\n";  // the frame alone
  if (figure.x_log) script += log_axis(figure);
  std::string plot, bands;  // bands lie below all curves
  for (std::size_t j = 0; j < drawn.size(); ++j) {
    const std::size_t i = drawn[j];
    const Curve& curve = figure.curves[i];
    script += fmt::format("$curve{} << END\n{}END\n", i, rows_of(figure, curve));
    if (!curve.low.empty()) {
      bands += fmt::format(
          "{}$curve{} using {} with filledcurves fs transparent solid 0.18 noborder lc rgb '{}'",
          bands.empty() ? "" : ", ", i, kBand, curve.colour);
    }
    plot += fmt::format("{}$curve{} with {} {} lc rgb '{}'", j ? ", " : "", i,
                        curve.reference ? "lines" : "linespoints", line_of(curve), curve.colour);
    if (curve.reference) continue;
    plot += fmt::format(" {} ps 0.6{}", points_of(curve), curve.failed ? "" : " pn 7");
    if (curve.failed) script += cross_at_end(figure, curve);
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
  svg = with_plot_titles(with_texts(svg, texts_of(figure)), figure);
  return replaced(svg, "<title>Gnuplot</title>", "<title>" + escaped(figure.title) + "</title>");
}

}  // namespace cograd
