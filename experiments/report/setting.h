// Settings of a study: the runs that differ in their seeds alone, and their spread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"

namespace cograd {

/// A quantity over the seeds: mean, smallest, largest, and the standard deviation (n - 1; 0 for one
/// seed).
struct Spread {
  double mean = 0.0, low = 0.0, high = 0.0, std = 0.0;
};
Spread spread_of(const std::vector<double>& values);
/// "30.1", or "30.1 ± 0.8" for several seeds.
std::string spread_text(const Spread& spread, std::size_t seeds, int digits = 1);

/// A number of an epoch.
using Quantity = std::function<double(const EpochRecord&)>;

/// The runs of one setting, which differ in their seeds alone. Numbers cover the finished ones.
struct Setting {
  std::vector<const RunRecord*> runs;
  std::vector<const RunRecord*> failed{};

  const RunRecord& first() const { return *(runs.empty() ? failed : runs).front(); }
  const RunSettings& run_settings() const { return first().settings; }
  std::int64_t groups() const { return first().groups; }
  std::size_t seeds() const { return runs.size(); }
  std::size_t epochs() const;  ///< the least of all runs
  double seconds() const;      ///< the sum over the seeds
  double training_seconds_per_epoch() const;
  Spread at(std::size_t epoch, const Quantity& quantity) const;
  Spread last(const Quantity& quantity) const { return at(epochs() - 1, quantity); }
};

/// All settings in the order of their first run, also those without a finished run. The records
/// must outlive them.
std::vector<Setting> all_settings_of(const std::vector<RunRecord>& runs);
/// The settings with a finished run.
std::vector<Setting> settings_of(const std::vector<RunRecord>& runs);

/// Accuracies on the test set and on either kind of training examples, in percent.
double test_accuracy(const EpochRecord& epoch);
double pristine_accuracy(const EpochRecord& epoch);
double corrupt_accuracy(const EpochRecord& epoch);
/// Index of the epoch with the highest test accuracy, the mean over the seeds.
std::size_t best_epoch(const Setting& setting);
/// "epoch 7".
std::string epoch_text(const Setting& setting, std::size_t epoch);

/// "3", or "2 of 3" if the others failed.
std::string seeds_text(const Setting& setting);
/// The quantity after the last epoch, "30.1 ± 0.8 %", with " (2 of 3 seeds)" if the others failed.
std::string last_text(const Setting& setting, const Quantity& quantity,
                      const std::string& unit = "", int digits = 1);
/// Whether the run left this file: runs of earlier versions may lack it.
bool has_file(const RunRecord& run, const char* file);
/// The settings whose finished runs all left this file.
std::vector<const Setting*> with_file(const std::vector<const Setting*>& settings,
                                      const char* file);

/// Distinct names: label_of(), followed by the other differences.
std::vector<std::string> names_of(const std::vector<const Setting*>& settings);

}  // namespace cograd
