// How the settings of a study look in figures: colours, dashes, markers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {

/// The aggregator without its numbers: "trimmed" of "trimmed:5,1"; any median of means is "m3".
std::string family(const std::string& aggregator);

/// A colour for each of these aggregators, all different while there are enough. Those that the
/// studies compare have their usual one: by family, for winsorized gradients by strength.
std::map<std::string, std::string> colours_of(const std::vector<std::string>& aggregators);
/// C of "winsorized:C"; 0 for other aggregators.
double strength_of(const std::string& aggregator);

/// The noise levels of the runs in rising order, but no noise last: the studies are about noise.
std::vector<double> fractions_of(const std::vector<RunRecord>& runs);

/// The settings with this noise level.
std::vector<const Setting*> at_noise(const std::vector<Setting>& settings, double fraction);

/// A curve for each of `settings`, the settings of one noise level, without values yet: named,
/// coloured by aggregator, solid for the largest batch and dashed for smaller ones; no two look
/// alike.
std::vector<Curve> curves_for(const std::vector<const Setting*>& settings);

/// Adds a quantity over the epochs of a setting to `curve`, with a band over several seeds.
void add_epochs(const Setting& setting, const Quantity& quantity, Curve& curve);
/// The same for a failed run, up to its failure; marked ✗, with hollow markers.
void add_failed(const RunRecord& run, const Quantity& quantity, Curve& curve);

/// "✗ m3 b30, seed 2: diverged at epoch 1, step 7; ..." of the failed runs of these settings, which
/// are called are `names`; empty if none failed.
std::string failures_text(const std::vector<const Setting*>& settings,
                          const std::vector<std::string>& names);

}  // namespace cograd
