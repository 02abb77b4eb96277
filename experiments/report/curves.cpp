#include "cograd/experiments/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace cograd {
namespace {

std::string name_of_failed(const std::string& name, const Setting& setting, const RunRecord& run) {
  const bool several = setting.runs.size() + setting.failed.size() > 1;
  return several ? fmt::format("{} seed {}", name, run.settings.seed) : name;
}

}  // namespace

void add_epochs(const Setting& setting, const Quantity& quantity, Curve& curve) {
  for (std::size_t epoch = 0; epoch < setting.epochs(); ++epoch) {
    const Spread spread = setting.at(epoch, quantity);
    curve.x.push_back(static_cast<double>(setting.runs.front()->epochs[epoch].epoch));
    curve.y.push_back(spread.mean);
    if (setting.seeds() == 1) continue;
    curve.low.push_back(spread.low);
    curve.high.push_back(spread.high);
  }
}

void add_failed(const RunRecord& run, const Quantity& quantity, Curve& curve) {
  curve.failed = true;
  curve.marker = hollow(curve.marker);
  curve.label += " ✗";  // short: long labels leave no room for the curves
  for (const EpochRecord& e : run.epochs) {
    curve.x.push_back(static_cast<double>(e.epoch));
    curve.y.push_back(quantity(e));
  }
}

std::string failures_text(const std::vector<const Setting*>& settings,
                          const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    for (const RunRecord* run : settings[i]->failed) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ",
                          name_of_failed(names[i], *settings[i], *run), run->failure);
    }
  }
  return text.empty() ? text : "✗ Failed: " + text + ".";
}

std::string family(const std::string& aggregator) {
  return aggregator.starts_with("mom:") ? "m3" : aggregator.substr(0, aggregator.find(':'));
}

std::string usual_colour_of(const std::string& aggregator) {
  const std::string name = family(aggregator);
  if (aggregator.starts_with("mean:")) return "#E69F00";
  if (name == "mean") return "#D55E00";
  if (name == "m3") return "#0072B2";
  if (name == "rm3") return "#009E73";
  if (name == "ra3") return "#CC79A7";
  if (name == "trimmed") return "#56B4E9";
  if (name != "winsorized") return "";
  const double strength = strength_of(aggregator);
  return strength < 2.0   ? "#E69F00"
         : strength < 4.0 ? "#56B4E9"
         : strength < 8.0 ? "#009E73"
                          : "#0072B2";
}

std::map<std::string, std::string> colours_of(const std::vector<std::string>& aggregators) {
  std::map<std::string, std::string> colours;
  std::set<std::string> taken;
  for (const std::string& aggregator : aggregators) {
    const std::string usual = usual_colour_of(aggregator);
    if (usual.empty() || colours.contains(aggregator)) continue;
    if (taken.insert(usual).second) colours[aggregator] = usual;
  }
  std::size_t next = 0;
  for (const std::string& aggregator : aggregators) {
    if (colours.contains(aggregator)) continue;
    const auto free = std::find_if(kPalette.begin(), kPalette.end(),
                                   [&](const char* colour) { return !taken.contains(colour); });
    colours[aggregator] = free != kPalette.end() ? *free : kPalette[next++ % kPalette.size()];
    taken.insert(colours[aggregator]);
  }
  return colours;
}

double strength_of(const std::string& aggregator) {
  return family(aggregator) == "winsorized"
             ? std::strtod(aggregator.substr(aggregator.find(':') + 1).c_str(), nullptr)
             : 0.0;
}

std::vector<double> fractions_of(const std::vector<RunRecord>& runs) {
  std::set<double> noisy;
  bool clean = false;
  for (const RunRecord& run : runs) {
    if (run.settings.corrupt_fraction > 0.0)
      noisy.insert(run.settings.corrupt_fraction);
    else
      clean = true;
  }
  std::vector<double> fractions(noisy.begin(), noisy.end());
  if (clean) fractions.push_back(0.0);
  return fractions;
}

std::vector<const Setting*> at_noise(const std::vector<Setting>& settings, double fraction) {
  std::vector<const Setting*> chosen;
  for (const Setting& setting : settings) {
    if (setting.run_settings().corrupt_fraction == fraction) chosen.push_back(&setting);
  }
  return chosen;
}

std::vector<Curve> curves_for(const std::vector<const Setting*>& settings) {
  std::set<std::int64_t> batches;
  std::vector<std::string> aggregators;
  for (const Setting* setting : settings) {
    batches.insert(setting->run_settings().batch_size);
    aggregators.push_back(setting->run_settings().aggregator);
  }
  const std::map<std::string, std::string> colours = colours_of(aggregators);
  const std::vector<std::string> names = names_of(settings);
  std::vector<Curve> curves;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    Curve curve;
    curve.label = names[i];
    curve.colour = colours.at(aggregators[i]);
    curve.marker = static_cast<int>(i) % kMarkers;
    curve.dash = static_cast<int>(
        std::distance(batches.find(settings[i]->run_settings().batch_size), batches.end()) - 1);
    curves.push_back(std::move(curve));
  }
  tell_apart(curves);
  return curves;
}

}  // namespace cograd
