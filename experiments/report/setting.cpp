#include "cograd/experiments/report/setting.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <system_error>

namespace cograd {

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  if (values.empty()) return spread;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) spread.mean += v / n;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  spread.low = *low, spread.high = *high;
  double squares = 0.0;
  for (const double v : values) squares += (v - spread.mean) * (v - spread.mean);
  if (values.size() > 1) spread.std = std::sqrt(squares / (n - 1));
  return spread;
}

std::string spread_text(const Spread& spread, std::size_t seeds, int digits) {
  const std::string mean = fmt::format("{:.{}f}", spread.mean, digits);
  return seeds > 1 ? fmt::format("{} ± {:.{}f}", mean, spread.std, digits) : mean;
}

std::size_t Setting::epochs() const {
  std::size_t least = runs.empty() ? 0 : runs.front()->epochs.size();
  for (const RunRecord* run : runs) least = std::min(least, run->epochs.size());
  return least;
}

double Setting::seconds() const {
  double sum = 0.0;
  for (const RunRecord* run : runs) sum += run->seconds;
  return sum;
}

double Setting::training_seconds_per_epoch() const {
  double sum = 0.0;
  for (const RunRecord* run : runs) {
    sum += run->training_seconds / static_cast<double>(run->settings.epochs);
  }
  return sum / static_cast<double>(runs.size());
}

Spread Setting::at(std::size_t epoch, const Quantity& quantity) const {
  std::vector<double> values;
  for (const RunRecord* run : runs) values.push_back(quantity(run->epochs.at(epoch)));
  return spread_of(values);
}

std::vector<Setting> all_settings_of(const std::vector<RunRecord>& runs) {
  std::vector<Setting> settings;
  for (const RunRecord& run : runs) {
    const auto same = std::find_if(settings.begin(), settings.end(), [&](const Setting& setting) {
      return same_but_seed(setting.run_settings(), run.settings);
    });
    Setting& setting = same == settings.end() ? settings.emplace_back() : *same;
    (run.finished() && !run.epochs.empty() ? setting.runs : setting.failed).push_back(&run);
  }
  return settings;
}

std::vector<Setting> settings_of(const std::vector<RunRecord>& runs) {
  std::vector<Setting> settings = all_settings_of(runs);
  std::erase_if(settings, [](const Setting& setting) { return setting.runs.empty(); });
  return settings;
}

double test_accuracy(const EpochRecord& epoch) { return epoch.test.acc1; }
double pristine_accuracy(const EpochRecord& epoch) { return epoch.pristine.acc1; }
double corrupt_accuracy(const EpochRecord& epoch) { return epoch.corrupt.acc1; }

std::size_t best_epoch(const Setting& setting) {
  std::size_t best = 0;
  for (std::size_t epoch = 1; epoch < setting.epochs(); ++epoch) {
    if (setting.at(epoch, test_accuracy).mean > setting.at(best, test_accuracy).mean) best = epoch;
  }
  return best;
}

std::string epoch_text(const Setting& setting, std::size_t epoch) {
  return fmt::format("epoch {}", setting.runs.front()->epochs[epoch].epoch);
}

std::string seeds_text(const Setting& setting) {
  return setting.failed.empty()
             ? fmt::format("{}", setting.seeds())
             : fmt::format("{} of {}", setting.seeds(), setting.seeds() + setting.failed.size());
}

std::string last_text(const Setting& setting, const Quantity& quantity, const std::string& unit,
                      int digits) {
  return spread_text(setting.last(quantity), setting.seeds(), digits) + unit +
         (setting.failed.empty() ? "" : fmt::format(" ({} seeds)", seeds_text(setting)));
}

bool has_file(const RunRecord& run, const char* file) {
  std::error_code unreadable;  // counts as none
  return !run.folder.empty() && std::filesystem::exists(run.folder / file, unreadable);
}

std::vector<const Setting*> with_file(const std::vector<const Setting*>& settings,
                                      const char* file) {
  std::vector<const Setting*> chosen;
  for (const Setting* setting : settings) {
    const bool all = std::all_of(setting->runs.begin(), setting->runs.end(),
                                 [=](const RunRecord* run) { return has_file(*run, file); });
    if (all) chosen.push_back(setting);
  }
  return chosen;
}

std::vector<std::string> names_of(const std::vector<const Setting*>& settings) {
  std::vector<std::string> names;
  for (const Setting* setting : settings) names.push_back(label_of(setting->run_settings()));
  if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;

  // Append the other differences.
  const auto add = [&](const auto& text_of) {
    std::set<std::string> texts;
    for (const Setting* setting : settings) texts.insert(text_of(setting->run_settings()));
    if (texts.size() < 2) return;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      names[i] += " " + text_of(settings[i]->run_settings());
    }
  };
  add([](const RunSettings& s) { return s.model; });
  add([](const RunSettings& s) { return fmt::format("w{}", s.width); });
  add([](const RunSettings& s) {
    return s.dropout ? fmt::format("dropout{:.4g}", *s.dropout) : std::string();
  });
  add([](const RunSettings& s) { return std::string(name_of(s.precision)); });
  add([](const RunSettings& s) { return fmt::format("lr{:.4g}", s.learning_rate); });
  add([](const RunSettings& s) { return s.schedule; });
  add([](const RunSettings& s) { return fmt::format("warmup{:.4g}", s.warmup); });
  add([](const RunSettings& s) { return fmt::format("wd{:.4g}", s.weight_decay); });
  add([](const RunSettings& s) { return fmt::format("m{:.4g}", s.momentum); });
  add([](const RunSettings& s) { return fmt::format("{} epochs", s.epochs); });
  return names;
}

}  // namespace cograd
