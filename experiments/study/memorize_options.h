// The options of memorize.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cograd/experiments/study/options.h"

namespace cograd {

struct MemorizeOptions {
  StudyOptions study;
  std::int64_t models = 100;  ///< of each aggregator
  double subset = 0.7;        ///< share of the training set that a model sees
};

/// "quick": 2,000 drawn digits. "laptop": 7,000 examples, 200 models. "paper": 2,000 models on MNIST,
/// as Feldman and Zhang, NeurIPS 2020, but with an MLP.
MemorizeOptions memorize_preset(const std::string& preset, const std::string& dataset,
                                const std::string& model = "");
/// Reads the command line; see parse_options(). Throws UsageError also for options that this study
/// does not have.
MemorizeOptions parse_memorize_options(int argc, const char* const* argv,
                                       std::string_view description);

}  // namespace cograd
