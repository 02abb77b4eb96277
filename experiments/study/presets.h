// The settings of --preset, by study.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cograd/experiments/study/options.h"

namespace cograd {

/// label_noise. "quick": minutes on two cores. "laptop": 10,000 examples, 60 epochs, all noise
/// levels. "paper": Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, on ImageNet. An empty
/// `dataset` or `model` selects the preset's default; in the paper the model decides the schedule.
StudyOptions label_noise_preset(const std::string& preset, const std::string& dataset,
                                const std::string& model = "");
/// The same at no noise and at half, on a laptop with three seeds.
StudyOptions cgh_preset(const std::string& preset, const std::string& dataset,
                        const std::string& model = "");
StudyOptions winsorize_preset(const std::string& preset, const std::string& dataset,
                              const std::string& model = "");

/// The options of easy_hard; study.run.epochs are the epochs on one side.
struct EasyHardOptions {
  StudyOptions study;
  std::int64_t scout_epochs = 2;
  std::int64_t split_train = 0;  ///< training examples of a side; 0: the rest of the smaller side
  std::int64_t split_test = 0;   ///< test examples of a side; 0: a sixth of the smaller side
  bool controls = false;         ///< train on random examples and on equal classes, too
};

EasyHardOptions easy_hard_preset(const std::string& preset, const std::string& dataset,
                                 const std::string& model = "");
/// Reads the command line; see parse_options().
EasyHardOptions parse_easy_hard_options(int argc, const char* const* argv,
                                        std::string_view description);

}  // namespace cograd
