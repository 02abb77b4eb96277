// What one must know to use a trained model: kept in the metadata of its weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/transform.h"
#include "experiments/record/run_settings.h"
#include "models/registry.h"
#include "models/safetensors.h"

namespace cograd {

struct ModelCard {
  std::string model;                     ///< as make_model() knows it
  ModelOptions options;                  ///< read back: but dropout and seed, for training alone
  ImageTransform transform;              ///< of the images it was tested on
  std::vector<std::string> class_names;  ///< empty: numbers only
};

/// The options of a run's model that trains on `train`.
ModelOptions model_options(const RunSettings& settings, const Dataset& train);
/// The card of that model, whose test images go through `transform`.
ModelCard card_of(const RunSettings& settings, const Dataset& train,
                  const ImageTransform& transform);

/// Names of classes, which may be any bytes, as printable() text.
std::map<std::string, std::string> to_metadata(const ModelCard& card);
/// The inverse. Throws FormatError, naming `path`, if there is no card in the metadata, or if it is
/// damaged or out of range.
ModelCard parse_card(const std::map<std::string, std::string>& metadata, const std::string& path);
bool has_card(const Safetensors& weights);

/// Height and width of images that a network is made to see.
inline constexpr std::int64_t kLargestImage = 4096;

/// What is wrong with these statistics of pixels, which lie in 0 to 1: "a mean of 123.675: expected
/// 0 to 1, ..."; empty if nothing is.
std::string complaint_about(const ChannelStatistics& statistics);

/// Outputs of the last layer of `model` in the weights. Throws FormatError, naming `path`, if they
/// have no such layer.
std::int64_t classes_in(const Safetensors& weights, const std::string& model,
                        const std::string& path);

/// Throws FormatError, naming `path`, unless the weights are about as many numbers as the model
/// that the card describes, and as many classes: before it is made, since a card may lie.
void require_fitting(const ModelCard& card, const Safetensors& weights, const std::string& path);

}  // namespace cograd
