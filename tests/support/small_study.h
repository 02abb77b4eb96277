// Options of studies that take seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cograd/experiments/study/options.h"
#include "cograd/experiments/study/presets.h"

namespace cograd::testing {

struct SmallStudy {
  std::int64_t train_size = 120;
  std::int64_t test_size = 40;
  std::string aggregators = "mean@20";
  std::string corrupt_fractions = "0.5";
  std::int64_t epochs = 2;
};

/// label_noise on drawn digits, on a CPU; its runs go to `output`.
inline StudyOptions small_study(const std::filesystem::path& output, const SmallStudy& study) {
  StudyOptions options = label_noise_preset("quick", "");
  options.train_size = study.train_size;
  options.test_size = study.test_size;
  options.aggregators = study.aggregators;
  options.corrupt_fractions = study.corrupt_fractions;
  options.run.epochs = study.epochs;
  options.seeds = 1;
  options.device = "cpu";
  options.output_dir = output.string();
  return options;
}

/// What label_noise reads from its command line.
inline StudyOptions parse_label_noise(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "label_noise");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), "A study.",
                       label_noise_preset);
}

}  // namespace cograd::testing
