#include "cograd/experiments/report/group_size.h"

#include <algorithm>
#include <map>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

double group_size(const Setting& setting) {
  return static_cast<double>(setting.run_settings().batch_size) /
         static_cast<double>(setting.groups());
}

double batch_size(const Setting& setting) {
  return static_cast<double>(setting.run_settings().batch_size);
}

/// The settings of each aggregator, by rising batch size.
using ByAggregator = std::map<std::string, std::vector<const Setting*>>;

Figure figure_of(const std::string& title, const std::string& x_label, const std::string& y_label,
                 const ByAggregator& aggregators, double (*x_of)(const Setting&),
                 const Quantity& quantity) {
  Figure figure{title, x_label, y_label, {}, {0.0, 100.0}, true};
  std::vector<std::string> names;
  for (const auto& entry : aggregators) names.push_back(entry.first);
  const std::map<std::string, std::string> colours = colours_of(names);
  for (const auto& [aggregator, settings] : aggregators) {
    Curve curve;
    curve.label = aggregator;
    curve.colour = colours.at(aggregator);
    curve.marker = static_cast<int>(figure.curves.size()) % kMarkers;
    for (const Setting* setting : settings) {
      const Spread spread = setting->last(quantity);
      curve.x.push_back(x_of(*setting));
      curve.y.push_back(spread.mean);
      if (setting->seeds() == 1) continue;
      curve.low.push_back(spread.low);
      curve.high.push_back(spread.high);
    }
    if (curve.low.size() < curve.x.size()) curve.low = curve.high = {};
    figure.curves.push_back(std::move(curve));
  }
  tell_apart(figure.curves);
  return figure;
}

}  // namespace

std::vector<FigureGroup> group_size_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    if (fraction == 0.0) continue;
    ByAggregator aggregators;
    for (const Setting* setting : at_noise(settings, fraction)) {
      aggregators[setting->run_settings().aggregator].push_back(setting);
    }
    for (auto entry = aggregators.begin(); entry != aggregators.end();) {
      auto& of_one = entry->second;
      std::stable_sort(of_one.begin(), of_one.end(), [](const Setting* a, const Setting* b) {
        return batch_size(*a) < batch_size(*b);
      });
      // Several settings of one size differ in something else, which is not this figure's subject.
      const auto equal = [](const Setting* a, const Setting* b) {
        return batch_size(*a) == batch_size(*b);
      };
      const bool sweep = of_one.size() >= 3 &&
                         std::adjacent_find(of_one.begin(), of_one.end(), equal) == of_one.end();
      entry = sweep ? std::next(entry) : aggregators.erase(entry);
    }
    if (aggregators.empty()) continue;
    const auto corrupt = [](const EpochRecord& e) { return e.corrupt.acc1; };
    const auto test = [](const EpochRecord& e) { return e.test.acc1; };
    const char *fitted = "corrupt labels fitted (%)", *accuracy = "test accuracy (%)";
    const char *per_group = "examples per group", *per_batch = "examples per batch";
    groups.push_back({"Group size, " + noise_text(fraction),
                      {figure_of("Corrupt labels fitted at equal group size", per_group, fitted,
                                 aggregators, group_size, corrupt),
                       figure_of("Corrupt labels fitted at equal batch size", per_batch, fitted,
                                 aggregators, batch_size, corrupt),
                       figure_of("Test accuracy at equal group size", per_group, accuracy,
                                 aggregators, group_size, test),
                       figure_of("Test accuracy at equal batch size", per_batch, accuracy,
                                 aggregators, batch_size, test)}});
  }
  return groups;
}

}  // namespace cograd
