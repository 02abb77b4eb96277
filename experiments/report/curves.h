// Curves of points: how runs look in figures, and their accuracies over the epochs.
#pragma once

#include <string>
#include <vector>

#include "experiments/report/point.h"
#include "experiments/report/report_page.h"

namespace cograd {

/// The aggregator without its numbers: "trimmed" of "trimmed:5,1"; any median of means is "m3".
std::string family(const std::string& aggregator);

/// Okabe and Ito's palette, which colour-blind readers tell apart; by family, of winsorized
/// gradients by strength.
std::string colour_of(const std::string& aggregator);

/// The noise levels of some runs in rising order, but without noise last: the noise is what the
/// studies are about.
std::vector<double> fractions_of(const std::vector<RunRecord>& runs);

/// The points of one noise level.
std::vector<const Point*> at_noise(const std::vector<Point>& points, double fraction);

/// A curve for each of `points`, without values yet: named, coloured by aggregator, solid for the
/// largest batch and dashed for smaller ones.
std::vector<Curve> curves_for(const std::vector<const Point*>& points);

/// For each noise level: corrupt labels fitted, pristine and test accuracy, and the gap between
/// training and test accuracy over the epochs.
std::vector<FigureGroup> accuracy_figures(const std::vector<RunRecord>& runs);

}  // namespace cograd
