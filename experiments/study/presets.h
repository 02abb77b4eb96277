// The settings that --preset stands for, per study.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "experiments/study/options.h"

namespace cograd {

/// label_noise. "quick": minutes on two cores. "laptop": 10,000 examples, 60 epochs, all noise
/// levels. "paper": Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, on ImageNet. An empty
/// `dataset` or `model` asks for the preset's own; in the paper each model has its own schedule.
StudyOptions label_noise_preset(const std::string& preset, const std::string& dataset,
                                const std::string& model = "");
/// The same at no noise and at half, on a laptop with three seeds.
StudyOptions cgh_preset(const std::string& preset, const std::string& dataset,
                        const std::string& model = "");
StudyOptions winsorize_preset(const std::string& preset, const std::string& dataset,
                              const std::string& model = "");

/// What easy_hard has besides the options of all studies; study.run.epochs are those on one side.
struct EasyHardOptions {
  StudyOptions study;
  std::int64_t scout_epochs = 2;
  std::int64_t split_train = 0;  ///< examples of a side to train on; 0: what there is
  std::int64_t split_test = 0;   ///< and to test on; 0: a sixth of the lesser side
};

EasyHardOptions easy_hard_preset(const std::string& preset, const std::string& dataset,
                                 const std::string& model = "");
/// Reads the command line; see parse_options().
EasyHardOptions parse_easy_hard_options(int argc, const char* const* argv,
                                        std::string_view description);

}  // namespace cograd
