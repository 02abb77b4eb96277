// The legend of a figure: at the ends of the curves or, if that takes too much room, below them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cograd/experiments/report/page/figure.h"

namespace cograd {

// In pixels. Small enough that the text stays legible where a phone shows the figure at 350 pixels.
constexpr int kFigureWidth = 460;
constexpr int kFigureHeight = 330;  ///< without a legend below
constexpr int kFontSize = 15;

/// A label as it is drawn: printable, and cut where it would leave no room for the curves.
std::string short_label(const std::string& label);

/// How a curve is drawn, in gnuplot's words: "dt (9,5) lw 2", "pt 7".
std::string line_of(const Curve& curve);
std::string points_of(const Curve& curve);

/// gnuplot's commands for the legend of the curves with these indices, and for the margins that it
/// needs. `texts` are their placeholders, quoted; `ends` are their last values; [low, high] is the
/// y axis. Sets `height` to the figure's height.
std::string legend(const Figure& figure, const std::vector<std::size_t>& drawn,
                   const std::vector<std::string>& texts, const std::vector<double>& ends,
                   double low, double high, int& height);

}  // namespace cograd
