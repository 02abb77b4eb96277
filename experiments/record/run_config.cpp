#include "cograd/experiments/record/run_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/json_reader.h"
#include "cograd/experiments/record/run_optimizer.h"
#include "cograd/models/registry.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

// Bounds of untrusted files: no run is larger.
constexpr std::int64_t kMostEpochs = 100'000;
constexpr std::int64_t kLargest = std::int64_t{1} << 40;
constexpr std::uint64_t kLargestSeed = std::numeric_limits<std::int64_t>::max();
constexpr int kMostWorkers = 256;

/// Keys without influence on results.
const std::set<std::string> kWithoutInfluence = {"command",       "machine",     "preset",
                                                 "ranks",         "workers",     "checkpoint_every",
                                                 "train_indices", "test_indices"};

std::string text_of(const Json& value) {
  constexpr std::size_t kMost = 80;
  if (value.is_null()) return "unset";
  std::string text = printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  return text.size() > kMost ? text.substr(0, kMost) + "..." : text;
}

/// The difference of two values; in objects, that of the first differing key.
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
  noise_kind(s.noise);
  const std::vector<std::string> models = model_names();
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
  require<ValueError>(s.warmup >= 0.0 && s.warmup <= static_cast<double>(s.epochs),
                      "[trainer] a warm-up of {} epochs: expected 0 to the {} of the run", s.warmup,
                      s.epochs);
  schedule_of(s);
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
  optimizer_of(s, {&any}, *aggregator);
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
  const RunSettings usual;
  if (run.noise != usual.noise) config["noise"] = run.noise;
  if (run.optimizer != usual.optimizer) config["optimizer"] = run.optimizer;
  if (run.warmup != usual.warmup) config["warmup"] = run.warmup;
  if (run.sync_batch_norm) config["sync_batch_norm"] = true;
  if (run.contributions) config["contributions"] = true;
  return config;
}

RunSettings settings_from(const Json& config, const std::string& name) {
  const JsonReader values(config, "[config] " + name);
  const std::string precision = values.text("precision");
  require<FormatError>(precision == "f32" || precision == "bf16",
                       "[config] {}: precision: expected f32 or bf16", name);
  RunSettings settings{
      .aggregator = values.text("aggregator"),
      .batch_size = values.integer("batch_size", 0, kLargest),
      .corrupt_fraction = values.number("corrupt_fraction"),
      .noise = values.text_if_there("noise").value_or("uniform"),
      .model = values.text("model"),
      .width = values.integer("width", 0, kLargest),
      .dropout = values.number_if_there("dropout"),
      .precision = precision == "bf16" ? Dtype::bf16 : Dtype::f32,
      .epochs = values.integer("epochs", 0, kMostEpochs),
      .optimizer = values.text_if_there("optimizer").value_or("sgd"),
      .learning_rate = values.number("learning_rate"),
      .momentum = values.number("momentum"),
      .weight_decay = values.number("weight_decay"),
      .schedule = values.text("schedule"),
      .warmup = values.number_if_there("warmup").value_or(0.0),
      .force_momentum = values.flag("force_momentum"),
      .sync_batch_norm = values.has("sync_batch_norm") && values.flag("sync_batch_norm"),
      .contributions = values.has("contributions") && values.flag("contributions"),
      .seed = static_cast<std::uint64_t>(values.integer("seed", 0, kLargestSeed)),
      .workers = static_cast<int>(values.integer("workers", 0, kMostWorkers)),
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
    if (kWithoutInfluence.contains(key)) continue;
    std::string text = difference(key, found.value(key, Json()), wanted.value(key, Json()));
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace cograd
