#include "cograd/experiments/record/run_settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace cograd {

bool same_but_seed(const RunSettings& a, const RunSettings& b) {
  RunSettings other = b;
  other.seed = a.seed;
  other.workers = a.workers;
  other.checkpoint_every = a.checkpoint_every;
  return a == other;
}

std::string label_of(const RunSettings& settings) {
  return fmt::format("{} b{}{}{}", settings.aggregator, settings.batch_size,
                     settings.optimizer == "sgd" ? "" : " " + settings.optimizer,
                     settings.data.empty() ? "" : " " + settings.data);
}

std::string title_of(const RunSettings& settings) {
  return fmt::format("{}, {}, learning rate {:.6g}, seed {}", label_of(settings),
                     noise_text(settings.corrupt_fraction), settings.learning_rate, settings.seed);
}

std::string directory_name_of(const RunSettings& settings) {
  const auto as_file_name = [](std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == ':' || c == ','; }, '-');
    return text;
  };
  const RunSettings usual;
  const auto unless = [](bool is_usual, const std::string& text) { return is_usual ? "" : text; };
  return fmt::format(
      "{}_b{}_noise{}{}{}{}", as_file_name(settings.aggregator), settings.batch_size,
      percent_text(settings.corrupt_fraction),
      unless(settings.optimizer == usual.optimizer, "_" + as_file_name(settings.optimizer)),
      unless(settings.learning_rate == usual.learning_rate,
             fmt::format("_lr{:.6g}", settings.learning_rate)),
      unless(settings.seed == usual.seed, fmt::format("_seed{}", settings.seed)));
}

std::string percent_text(double fraction) { return fmt::format("{:.6g}", 100.0 * fraction); }

std::string noise_text(double fraction) {
  return fraction == 0.0 ? "no noise" : percent_text(fraction) + " % noise";
}

}  // namespace cograd
