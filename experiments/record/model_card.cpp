#include "cograd/experiments/record/model_card.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cograd/engine/text.h"
#include "cograd/experiments/record/json_reader.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKey = "cograd_model";

}  // namespace

ModelOptions model_options(const RunSettings& settings, const Dataset& train) {
  return {.image = train.image_shape(),
          .classes = train.classes(),
          .width = settings.width,
          .dropout = settings.dropout,
          .seed = settings.seed};
}

ModelCard card_of(const RunSettings& settings, const Dataset& train,
                  const ImageTransform& transform) {
  return {settings.model, model_options(settings, train), transform, train.class_names()};
}

std::map<std::string, std::string> to_metadata(const ModelCard& card) {
  std::vector<std::string> names;  // JSON is text; names of folders may be any bytes
  for (const std::string& name : card.class_names) names.push_back(printable(name));
  const Shape& image = card.options.image;
  const Json json = {{"model", card.model},
                     {"image", {image[0], image[1], image[2]}},
                     {"classes", card.options.classes},
                     {"width", card.options.width},
                     {"resize", card.transform.resize},
                     {"mean", card.transform.statistics.mean},
                     {"deviation", card.transform.statistics.std},
                     {"class_names", names}};
  return {{kKey, json.dump()}};
}

bool has_card(const Safetensors& weights) { return weights.metadata.count(kKey) == 1; }

ModelCard parse_card(const std::map<std::string, std::string>& metadata, const std::string& path) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31, kMostResizing = 4;
  const auto text = metadata.find(kKey);
  require<FormatError>(text != metadata.end(),
                       "[weights] {} does not say which model it is of: give --model", path);
  const JsonReader reader(text->second,
                          fmt::format("[weights] {}: damaged description of the model", path));
  ModelCard card;
  card.model = reader.text("model");
  const std::vector<std::string> models = model_names();
  reader.check(std::find(models.begin(), models.end(), card.model) != models.end(),
               "the model is '{}': expected one of {}", printable(card.model),
               fmt::join(models, ", "));
  const std::vector<std::int64_t> image = reader.integers("image", 1, kLargestImage);
  reader.check(image.size() == 3 && (image[0] == 1 || image[0] == 3) && image[1] == image[2],
               "images of [{}]: expected 1 or 3 channels, and as many rows as columns",
               fmt::join(image, ", "));
  card.options.image = Shape(image);
  card.options.classes = reader.integer("classes", 1, kMost);
  card.options.width = reader.integer("width", 0, kMost);
  card.transform.crop = image[1];
  card.transform.resize = reader.integer("resize", image[1], kMostResizing * image[1]);
  ChannelStatistics& statistics = card.transform.statistics;
  statistics = {reader.numbers("mean"), reader.numbers("deviation")};
  reader.check(std::ssize(statistics.mean) == image[0] && std::ssize(statistics.std) == image[0],
               "{} means and {} stds: expected one for each of {} channels", statistics.mean.size(),
               statistics.std.size(), image[0]);
  const std::string complaint = complaint_about(statistics);
  reader.check(complaint.empty(), "{}", complaint);
  card.class_names = reader.texts("class_names");
  reader.check(card.class_names.empty() || std::ssize(card.class_names) == card.options.classes,
               "{} names for {} classes", card.class_names.size(), card.options.classes);
  return card;
}

std::string complaint_about(const ChannelStatistics& statistics) {
  constexpr const char* kScale = "as of pixels that are scaled to 0 to 1";
  for (const float mean : statistics.mean) {
    if (!(mean >= 0.0f && mean <= 1.0f)) {
      return fmt::format("a mean of {}: expected 0 to 1, {}", mean, kScale);
    }
  }
  for (const float std : statistics.std) {
    if (!(std > 0.0f && std <= 1.0f)) {
      return fmt::format("a std of {}: expected more than 0 and at most 1, {}", std, kScale);
    }
  }
  return "";
}

std::int64_t classes_in(const Safetensors& weights, const std::string& model,
                        const std::string& path) {
  const std::string name = classifier_of(model);
  const auto found = std::find_if(weights.tensors.begin(), weights.tensors.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  require<FormatError>(found != weights.tensors.end(),
                       "[weights] {} has no tensor '{}'{}, the last layer of {}: is it of another "
                       "model?",
                       path, name,
                       weights.unread.count(name) == 1
                           ? fmt::format(" but of type {}", weights.unread.at(name))
                           : "",
                       model);
  const Shape& shape = found->second.shape();
  require<FormatError>(shape.rank() == 2 && shape.numel() > 0,
                       "[weights] {}: tensor '{}' is {}: expected [classes, features]", path, name,
                       shape);
  return shape[0];
}

void require_fitting(const ModelCard& card, const Safetensors& weights, const std::string& path) {
  const std::int64_t classes = classes_in(weights, card.model, path);
  require<FormatError>(classes == card.options.classes,
                       "[weights] {} is for {} classes, but its description says {}", path, classes,
                       card.options.classes);
  double held = 0.0;
  for (const auto& entry : weights.tensors) held += static_cast<double>(entry.second.numel());
  // An MLP's first layer has weights for every pixel, even the narrow one that is made next.
  require<FormatError>(
      !card.model.starts_with("mlp") || static_cast<double>(card.options.image.numel()) <= held,
      "[weights] {} holds {} numbers, too few for an MLP on images of {}", path, held,
      card.options.image);
  const double needed = about_elements(card.model, card.options);
  constexpr double kSlack = 2.0, kFew = 1e6;
  require<FormatError>(needed <= kSlack * held + kFew,
                       "[weights] {} holds {} numbers, but {} with width {} for {} classes needs "
                       "about {:.0f}: is it of another model?",
                       path, held, card.model, card.options.width, classes, needed);
}

}  // namespace cograd
