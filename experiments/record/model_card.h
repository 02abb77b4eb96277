// The description of a trained model in the metadata of its weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/data/transform.h"
#include "cograd/experiments/record/run_settings.h"
#include "cograd/models/registry.h"
#include "cograd/models/safetensors.h"

namespace cograd {

struct ModelCard {
  std::string model;                     ///< for make_model()
  ModelOptions options;                  ///< without dropout and seed when read back
  ImageTransform transform;              ///< of its test images
  std::vector<std::string> class_names;  ///< empty: numbers only
};

/// The options of a run's model that trains on `train`.
ModelOptions model_options(const RunSettings& settings, const Dataset& train);
/// The card of that model, whose test images go through `transform`.
ModelCard card_of(const RunSettings& settings, const Dataset& train,
                  const ImageTransform& transform);

/// The card as metadata; names of classes become printable() text.
std::map<std::string, std::string> to_metadata(const ModelCard& card);
/// The inverse of to_metadata(). Throws FormatError naming `path` if the card is missing, damaged
/// or out of range.
ModelCard parse_card(const std::map<std::string, std::string>& metadata, const std::string& path);
bool has_card(const Safetensors& weights);

/// The largest height and width of a network's input.
inline constexpr std::int64_t kLargestImage = 4096;

/// The fault of these statistics of pixels in [0, 1]: "a mean of 123.675: expected 0 to 1, ...";
/// empty if there is none.
std::string complaint_about(const ChannelStatistics& statistics);

/// The number of classes, from the last layer of `model` in the weights. Throws FormatError naming
/// `path` if the weights lack that layer.
std::int64_t classes_in(const Safetensors& weights, const std::string& model,
                        const std::string& path);

/// Throws FormatError naming `path` unless the weights have about the size and the classes of the
/// model that the card describes. Call it before make_model(): a false card may ask for any size.
void require_fitting(const ModelCard& card, const Safetensors& weights, const std::string& path);

}  // namespace cograd
