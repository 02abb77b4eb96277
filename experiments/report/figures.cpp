// Figures by gnuplot: script and picture pass through anonymous files, so no path needs quoting.
#include "experiments/report/figures.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

#include "engine/error.h"
#include "experiments/report/html.h"

extern char** environ;

namespace cograd {
namespace {

// Small enough that the text stays legible where a phone shows the figure at 350 pixels.
constexpr int kWidth = 460;
constexpr int kHeight = 330;
constexpr int kFontSize = 15;
// A label's height as a share of the y axis.
constexpr double kLabelDistance = 0.075;

constexpr std::array kDashes = {"solid", "(9,5)", "(3,4)", "(12,4,3,4)"};
constexpr std::array kMarkers = {7, 5, 9, 13, 11, 6, 4, 8};  // gnuplot's point types

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

File temporary_file() {
  File file(std::tmpfile());
  require<IoError>(file != nullptr, "[figures] no temporary file: {}", std::strerror(errno));
  return file;
}

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), n);
  }
  return text;
}

std::string run_gnuplot(const std::string& script) {
  const File in = temporary_file(), out = temporary_file(), errors = temporary_file();
  std::fwrite(script.data(), 1, script.size(), in.get());
  std::rewind(in.get());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), 2);
  char name[] = "gnuplot";
  char* const arguments[] = {name, nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  require<IoError>(failure == 0, "[figures] gnuplot cannot be started ({}): install gnuplot-nox",
                   std::strerror(failure));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  std::string complaint = content(errors.get());
  std::replace(complaint.begin(), complaint.end(), '\n', ' ');
  require<IoError>(WIFEXITED(status) && WEXITSTATUS(status) == 0, "[figures] gnuplot failed: {}",
                   complaint);
  return content(out.get());
}

std::string quoted(const std::string& text) { return "'" + replaced(text, "'", "''") + "'"; }

std::pair<double, double> y_range_of(const Figure& figure) {
  if (figure.y_range.first < figure.y_range.second) return figure.y_range;
  double low = 0.0, high = 0.0;  // zero is always in sight
  for (const Curve& curve : figure.curves) {
    for (const double y : curve.y) low = std::min(low, y), high = std::max(high, y);
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
    for (const double x : curve.x) low = std::min(low, x), high = std::max(high, x);
  }
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
  for (const Curve& curve : figure.curves) {
    longest = std::max(longest, curve.label.size());
    ends.push_back(curve.y.back());
  }
  const std::vector<double> places = spread(ends, kLabelDistance * (high - low), low, high);

  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic noenhanced font 'sans-serif,{}'\n"
      "set xlabel {} offset 0,0.4\nset ylabel {} offset 1.5,0\n"
      "set yrange [{:.6g}:{:.6g}]\nset lmargin 7\nset rmargin {:.1f}\nset tmargin 0.8\n"
      "set border 3 lw 1\nset tics nomirror scale 0.5\nset grid ytics lc rgb '#888888' lw 0.4 dt "
      "solid\nunset key\n",
      kWidth, kHeight, kFontSize, quoted(figure.x_label), quoted(figure.y_label), low, high,
      3 + 0.95 * static_cast<double>(std::max<std::size_t>(longest, 6)));
  if (figure.x_log) script += log_axis(figure);
  std::string plot, bands;  // bands lie below all curves
  for (std::size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    const std::string style = fmt::format(
        "pt {} lc rgb '{}'", kMarkers[static_cast<std::size_t>(curve.marker) % kMarkers.size()],
        curve.colour);
    script += fmt::format("$curve{} << END\n", i);
    for (std::size_t j = 0; j < curve.x.size(); ++j) {
      script += fmt::format("{:.6g} {:.6g}", curve.x[j], curve.y[j]);
      if (!curve.low.empty()) script += fmt::format(" {:.6g} {:.6g}", curve.low[j], curve.high[j]);
      script += "\n";
    }
    script += "END\n";
    if (!curve.low.empty()) {
      bands += fmt::format(
          "{}$curve{} using 1:3:4 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}'",
          bands.empty() ? "" : ", ", i, curve.colour);
    }
    script += fmt::format(
        "set label {} at graph 1.02, first {:.6g} left point {} ps 0.7 offset 0.8,-0.15\n",
        quoted(curve.label), places[i], style);
    plot += fmt::format("{}$curve{} with linespoints lw 2 dt {} {} ps 0.6 pn 7", i ? ", " : "", i,
                        kDashes[static_cast<std::size_t>(curve.dash) % kDashes.size()], style);
  }
  return script + "plot " + bands + (bands.empty() ? "" : ", ") + plot + "\n";
}

std::string draw_svg(const Figure& figure, const std::string& id) {
  std::string svg = run_gnuplot(gnuplot_script(figure));
  const std::size_t begin = svg.find("<svg");
  require<IoError>(begin != std::string::npos, "[figures] gnuplot drew no SVG for '{}'",
                   figure.title);
  svg.erase(0, begin);
  // Black becomes the page's text colour; ids become the figure's own.
  svg = replaced(svg, "\"black\"", "\"currentColor\"");
  svg = replaced(svg, "'black'", "'currentColor'");
  svg = replaced(svg, "id='", "id='" + id + "-");
  svg = replaced(svg, "id=\"", "id=\"" + id + "-");
  svg = replaced(svg, "'#gp", "'#" + id + "-gp");
  svg = replaced(svg, "<title>Gnuplot</title>", "<title>" + escaped(figure.title) + "</title>");
  return svg;
}

}  // namespace cograd
