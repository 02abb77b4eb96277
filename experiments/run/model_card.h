// What one must know to use a trained model: kept in the metadata of its weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/transform.h"
#include "experiments/run/trainer.h"
#include "models/registry.h"

namespace cograd {

struct ModelCard {
  std::string model;                     ///< as make_model() knows it
  ModelOptions options;                  ///< read back: but dropout and seed, for training alone
  ImageTransform transform;              ///< of the images it was tested on
  std::vector<std::string> class_names;  ///< empty: numbers only
};

/// Of the run's model on these data.
ModelOptions model_options(const RunSettings& settings, const StudyData& data);
ModelCard card_of(const RunSettings& settings, const StudyData& data);

std::map<std::string, std::string> to_metadata(const ModelCard& card);
/// The inverse. Throws FormatError, naming `path`, if there is no card in the metadata or it is
/// damaged.
ModelCard parse_card(const std::map<std::string, std::string>& metadata, const std::string& path);

}  // namespace cograd
