#include "experiments/run/run_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/aggregation/aggregator.h"
#include "engine/error.h"
#include "engine/text.h"
#include "models/registry.h"
#include "optim/schedule.h"
#include "optim/sgd.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

// No run is larger; a file that lies must not make us ask for what it claims.
constexpr std::int64_t kMostEpochs = 100'000;
constexpr std::int64_t kLargest = std::int64_t{1} << 40;
constexpr std::uint64_t kLargestSeed = std::numeric_limits<std::int64_t>::max();
constexpr int kMostWorkers = 256;

/// Keys that two runs with the same results may differ in.
const std::set<std::string> kWithoutInfluence = {
    "command", "machine", "preset", "workers", "checkpoint_every", "train_indices", "test_indices"};

/// Values of a config that are there and of their type.
class Values {
 public:
  Values(const Json& config, const std::string& name) : config_(config), name_(name) {}

  std::string text(const char* key) const {
    const Json& value = at(key);
    check(value.is_string(), key, "a text");
    return value.get<std::string>();
  }
  bool flag(const char* key) const {
    const Json& value = at(key);
    check(value.is_boolean(), key, "true or false");
    return value.get<bool>();
  }
  std::int64_t integer(const char* key, std::int64_t most) const {
    const Json& value = at(key);
    check(value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t(most), key,
          fmt::format("an integer from 0 to {}", most));
    return value.get<std::int64_t>();
  }
  double number(const char* key) const {
    const Json& value = at(key);
    check(value.is_number() && std::isfinite(value.get<double>()), key, "a number");
    return value.get<double>();
  }
  std::optional<double> optional_number(const char* key) const {
    return config_.contains(key) ? std::optional(number(key)) : std::nullopt;
  }

 private:
  const Json& at(const char* key) const {
    const auto found = config_.find(key);
    check(found != config_.end(), key, "to be there");
    return *found;
  }
  void check(bool ok, const char* key, const std::string& expected) const {
    require<FormatError>(ok, "[config] {}: {}: expected {}", name_, key, expected);
  }

  const Json& config_;
  const std::string& name_;
};

std::string text_of(const Json& value) {
  constexpr std::size_t kMost = 80;
  if (value.is_null()) return "unset";
  std::string text = printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  return text.size() > kMost ? text.substr(0, kMost) + "..." : text;
}

/// Of two values: of objects in them the first that differs, by its path.
std::string difference(const std::string& key, const Json& found, const Json& wanted) {
  if (found == wanted) return "";
  if (!found.is_object() || !wanted.is_object()) {
    return fmt::format("{} {} instead of {}", printable(key), text_of(found), text_of(wanted));
  }
  return printable(key) + ": " + cograd::difference(found, wanted);
}

}  // namespace

void check_settings(const RunSettings& s) {
  const std::unique_ptr<Aggregator> aggregator = parse_aggregator(s.aggregator);
  require<ValueError>(s.batch_size >= 1, "[trainer] a batch of {}: expected at least 1",
                      s.batch_size);
  aggregator->groups(s.batch_size);
  require<ValueError>(s.corrupt_fraction >= 0.0 && s.corrupt_fraction <= 1.0,
                      "[trainer] a corrupt fraction of {}: expected 0 to 1", s.corrupt_fraction);
  const std::vector<std::string>& models = model_names();
  require<ValueError>(std::find(models.begin(), models.end(), s.model) != models.end(),
                      "[trainer] unknown model '{}'", printable(s.model));
  require<ValueError>(s.width >= 0, "[trainer] a width of {}: expected at least 0", s.width);
  const double dropout = s.dropout.value_or(0.0);
  require<ValueError>(dropout >= 0.0 && dropout < 1.0,
                      "[trainer] a dropout of {}: expected at least 0 and less than 1", dropout);
  require<ValueError>(s.epochs >= 1 && s.epochs <= kMostEpochs,
                      "[trainer] {} epochs: expected 1 to {}", s.epochs, kMostEpochs);
  require<ValueError>(s.learning_rate > 0.0 && std::isfinite(s.learning_rate),
                      "[trainer] a learning rate of {}: expected a positive number",
                      s.learning_rate);
  require<ValueError>(std::isfinite(s.weight_decay), "[trainer] a weight decay of {}",
                      s.weight_decay);
  make_schedule(s.schedule, s.learning_rate, s.epochs);
  require<ValueError>(s.workers >= 0 && s.workers <= kMostWorkers,
                      "[trainer] {} loader threads: expected 0 to {}", s.workers, kMostWorkers);
  require<ValueError>(s.checkpoint_every >= 0.0, "[trainer] checkpoints every {} seconds",
                      s.checkpoint_every);
  require<ValueError>(s.seed <= kLargestSeed, "[trainer] seed {}: expected at most {}", s.seed,
                      kLargestSeed);
  require<ValueError>(aggregator->window() == 1 || s.momentum == 0.0 || s.force_momentum,
                      "[trainer] momentum {} with {} is known to be unstable: expected 0, or "
                      "--force-momentum",
                      s.momentum, s.aggregator);
  Parameter any;
  Sgd({&any}, *aggregator, {s.learning_rate, s.momentum, s.weight_decay, false, s.force_momentum});
}

Json to_config(const RunSettings& run) {
  Json config{{"aggregator", run.aggregator},
              {"batch_size", run.batch_size},
              {"corrupt_fraction", run.corrupt_fraction},
              {"model", run.model},
              {"width", run.width},
              {"precision", name_of(run.precision)},
              {"epochs", run.epochs},
              {"learning_rate", run.learning_rate},
              {"momentum", run.momentum},
              {"force_momentum", run.force_momentum},
              {"weight_decay", run.weight_decay},
              {"schedule", run.schedule},
              {"seed", run.seed},
              {"workers", run.workers},
              {"checkpoint_every", run.checkpoint_every}};
  if (run.dropout) config["dropout"] = *run.dropout;
  return config;
}

RunSettings settings_from(const Json& config, const std::string& name) {
  const Values values(config, name);
  const std::string precision = values.text("precision");
  require<FormatError>(precision == "f32" || precision == "bf16",
                       "[config] {}: precision: expected f32 or bf16", name);
  const RunSettings settings{
      .aggregator = values.text("aggregator"),
      .batch_size = values.integer("batch_size", kLargest),
      .corrupt_fraction = values.number("corrupt_fraction"),
      .model = values.text("model"),
      .width = values.integer("width", kLargest),
      .dropout = values.optional_number("dropout"),
      .precision = precision == "bf16" ? Dtype::bf16 : Dtype::f32,
      .epochs = values.integer("epochs", kMostEpochs),
      .learning_rate = values.number("learning_rate"),
      .momentum = values.number("momentum"),
      .weight_decay = values.number("weight_decay"),
      .schedule = values.text("schedule"),
      .force_momentum = values.flag("force_momentum"),
      .seed = static_cast<std::uint64_t>(values.integer("seed", kLargestSeed)),
      .workers = static_cast<int>(values.integer("workers", kMostWorkers)),
      .checkpoint_every = values.number("checkpoint_every")};
  try {
    check_settings(settings);
  } catch (const Error& error) {
    throw FormatError(fmt::format("[config] {}: {}", name, printable(error.what())));
  }
  return settings;
}

std::string difference(const Json& found, const Json& wanted) {
  std::vector<std::string> keys;
  for (const Json* one : {&found, &wanted}) {
    for (const auto& [key, value] : one->items()) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    if (kWithoutInfluence.count(key) > 0) continue;
    std::string text = difference(key, found.value(key, Json()), wanted.value(key, Json()));
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace cograd
