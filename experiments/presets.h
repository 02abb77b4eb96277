// The settings that --preset stands for, per study.
#pragma once

#include <string>

#include "experiments/options.h"

namespace cograd {

/// label_noise. "quick": minutes on two cores. "laptop": 10,000 examples, 60 epochs, all noise
/// levels. "paper": Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, on ImageNet. An empty
/// `dataset` asks for the preset's own.
StudyOptions label_noise_preset(const std::string& preset, const std::string& dataset);
/// The same at no noise and at half, on a laptop with three seeds.
StudyOptions cgh_preset(const std::string& preset, const std::string& dataset);
StudyOptions winsorize_preset(const std::string& preset, const std::string& dataset);

}  // namespace cograd
