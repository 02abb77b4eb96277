#include "experiments/run/model_card.h"

#include <nlohmann/json.hpp>

#include "engine/text.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKey = "cograd_model";

}  // namespace

ModelOptions model_options(const RunSettings& settings, const StudyData& data) {
  return {.image = data.train->image_shape(),
          .classes = data.train->classes(),
          .width = settings.width,
          .dropout = settings.dropout,
          .seed = settings.seed};
}

ModelCard card_of(const RunSettings& settings, const StudyData& data) {
  return {settings.model, model_options(settings, data), data.transform, data.train->class_names()};
}

std::map<std::string, std::string> to_metadata(const ModelCard& card) {
  std::vector<std::string> names;  // JSON is text, names of folders may be any bytes
  for (const std::string& name : card.class_names) names.push_back(printable(name));
  const Shape& image = card.options.image;
  const Json json = {{"model", card.model},
                     {"image", {image[0], image[1], image[2]}},
                     {"classes", card.options.classes},
                     {"width", card.options.width},
                     {"resize", card.transform.resize},
                     {"mean", card.transform.statistics.mean},
                     {"deviation", card.transform.statistics.deviation},
                     {"class_names", names}};
  return {{kKey, json.dump()}};
}

ModelCard parse_card(const std::map<std::string, std::string>& metadata, const std::string& path) {
  const auto text = metadata.find(kKey);
  require<FormatError>(text != metadata.end(),
                       "[weights] {} does not say which model it is of: give --model", path);
  ModelCard card;
  try {
    const Json json = Json::parse(text->second);
    card.model = json.at("model");
    card.options.image = Shape(json.at("image").get<std::vector<std::int64_t>>());
    card.options.classes = json.at("classes");
    card.options.width = json.at("width");
    card.transform.resize = json.at("resize");
    json.at("mean").get_to(card.transform.statistics.mean);
    json.at("deviation").get_to(card.transform.statistics.deviation);
    json.at("class_names").get_to(card.class_names);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(
        fmt::format("[weights] {}: damaged description of the model: {}", path, error.what()));
  }
  const ChannelStatistics& s = card.transform.statistics;
  const Shape& image = card.options.image;
  require<FormatError>(image.rank() == 3 && image[1] == image[2] &&
                           std::ssize(s.mean) == image[0] && std::ssize(s.deviation) == image[0],
                       "[weights] {}: damaged description of the model: images {} with {} means",
                       path, image.str(), s.mean.size());
  card.transform.crop = image[1];
  return card;
}

}  // namespace cograd
