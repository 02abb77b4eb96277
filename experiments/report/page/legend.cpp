#include "cograd/experiments/report/page/legend.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/columns.h"

namespace cograd {
namespace {

// In characters: longer labels leave no room for the curves.
constexpr std::size_t kLongestLabel = 36;
constexpr std::size_t kLongestBeside = 12;
// A label's height as a share of the y axis, and how many there is room for.
constexpr double kLabelDistance = 0.075;
constexpr std::size_t kMostBeside = 13;
// In pixels: of a character, of the sample of a curve, between things, of a row below the figure,
// and of the x axis with its label.
constexpr int kCharacter = 10, kSample = 34, kSpace = 8, kRow = 20, kAxis = 58;

constexpr std::array kDashTypes = {"solid", "(9,5)", "(3,4)", "(12,4,3,4)"};
constexpr std::array kPointTypes = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};  // filled, then hollow
static_assert(kDashTypes.size() == kDashes && kPointTypes.size() == 2 * kMarkers);

double share_of_width(double pixels) { return pixels / kFigureWidth; }

/// A curve's sample and label, from the pixel `x` on; `y` is a coordinate of gnuplot. Neighbours
/// differ in `odd`.
std::string entry(const Curve& curve, const std::string& text, double x, const std::string& y,
                  bool odd) {
  // gnuplot joins arrows of one colour and width to a path, whatever their dashes.
  const char* other_width = odd ? ".001" : "";
  std::string script = fmt::format(
      "set arrow from screen {0:.4f}, {1} to screen {2:.4f}, {1} nohead {3}{4} lc rgb '{5}'\n",
      share_of_width(x), y, share_of_width(x + kSample), line_of(curve), other_width, curve.colour);
  if (!curve.reference) {
    script += fmt::format("set label '' at screen {:.4f}, {} point {} lc rgb '{}' ps 0.7\n",
                          share_of_width(x + kSample / 2.0), y, points_of(curve), curve.colour);
  }
  return script + fmt::format("set label {} at screen {:.4f}, {} left offset 0,-0.05\n", text,
                              share_of_width(x + kSample + kSpace), y);
}

}  // namespace

std::string short_label(const std::string& label) {
  const std::string text = printable(label);
  return display_width(text) <= kLongestLabel ? text : wrapped(text, kLongestLabel - 1)[0] + "…";
}

std::string line_of(const Curve& curve) {
  const auto dash = static_cast<std::size_t>(curve.dash) % kDashTypes.size();
  return fmt::format("dt {} lw {}", kDashTypes[dash], curve.failed || curve.reference ? 1 : 2);
}

std::string points_of(const Curve& curve) {
  return fmt::format("pt {}",
                     kPointTypes[static_cast<std::size_t>(curve.marker) % kPointTypes.size()]);
}

std::string legend(const Figure& figure, const std::vector<std::size_t>& drawn,
                   const std::vector<std::string>& texts, const std::vector<double>& ends,
                   double low, double high, int& height) {
  std::size_t longest = 6;
  for (const std::size_t i : drawn) {
    longest = std::max(longest, display_width(short_label(figure.curves[i].label)));
  }
  const int width = kSample + 2 * kSpace + kCharacter * static_cast<int>(longest);
  height = kFigureHeight;
  std::string script;
  if (longest <= kLongestBeside && drawn.size() <= kMostBeside) {
    const std::vector<double> places = spread(ends, kLabelDistance * (high - low), low, high);
    const int right = kFigureWidth - width;
    for (std::size_t j = 0; j < drawn.size(); ++j) {
      script += entry(figure.curves[drawn[j]], texts[j], right + kSpace,
                      fmt::format("first {:.6g}", places[j]), j % 2 == 1);
    }
    return script + fmt::format("set rmargin at screen {:.4f}\n", share_of_width(right));
  }
  const std::size_t columns = std::max(1, kFigureWidth / width);
  const std::size_t rows = (drawn.size() + columns - 1) / columns;
  height += kRow * static_cast<int>(rows);
  for (std::size_t j = 0; j < drawn.size(); ++j) {
    const auto column = static_cast<double>(j % columns);
    const std::size_t rows_above = j / columns;
    const double y = kRow * (static_cast<double>(rows - rows_above) - 0.5);
    script += entry(figure.curves[drawn[j]], texts[j],
                    kSpace + column * kFigureWidth / static_cast<double>(columns),
                    fmt::format("screen {:.4f}", y / height), j % 2 == 1);
  }
  return script + fmt::format("set rmargin 2\nset bmargin at screen {:.4f}\n",
                              (kRow * static_cast<double>(rows) + kAxis) / height);
}

}  // namespace cograd
