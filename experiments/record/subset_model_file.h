// What a model that was trained on a part of the training set says about all of its examples.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cograd/experiments/record/run_settings.h"

namespace cograd {

struct SubsetModel {
  std::vector<bool> included;            ///< [examples]: whether the model was trained on it
  std::vector<std::vector<bool>> right;  ///< [epochs][examples]: predicted as labelled thereafter
  std::vector<float> el2n;               ///< [examples], after LearningOrder::early_epoch()
};

/// The models of one setting, in order of their numbers.
struct SubsetModels {
  RunSettings settings;
  std::vector<SubsetModel> models{};
};

/// Writes a safetensors file, atomically, with a checksum. Throws IoError.
void write_subset_model(const std::filesystem::path& path, const SubsetModel& model);
/// Throws IoError, or FormatError if the file is damaged or of other numbers of examples or epochs.
SubsetModel read_subset_model(const std::filesystem::path& path, std::int64_t examples,
                              std::int64_t epochs);

}  // namespace cograd
