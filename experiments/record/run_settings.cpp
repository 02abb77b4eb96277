#include "cograd/experiments/record/run_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {

NoiseKind noise_kind(const std::string& noise) {
  if (noise == "uniform") return NoiseKind::uniform;
  if (noise == "asymmetric") return NoiseKind::asymmetric;
  const std::size_t colon = noise.find(':');
  const std::string kind = noise.substr(0, colon);
  const bool named = colon != std::string::npos && is_noise_word(noise.substr(colon + 1));
  if (named && kind == "matrix") return NoiseKind::matrix;
  if (named && kind == "matching") return NoiseKind::matching;
  if (named && kind == "given") return NoiseKind::given;
  throw ValueError(fmt::format(
      "[trainer] unknown noise '{}': expected uniform, asymmetric, matrix:NAME, matching:COLUMN or "
      "given:COLUMN",
      printable(noise)));
}

bool is_noise_word(std::string_view text) {
  return !text.empty() && text.size() <= kLongestNoiseWord &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

bool same_but_seed(const RunSettings& a, const RunSettings& b) {
  RunSettings other = b;
  other.seed = a.seed;
  other.workers = a.workers;
  other.checkpoint_every = a.checkpoint_every;
  other.contributions = a.contributions;
  return a == other;
}

std::string label_of(const RunSettings& settings) {
  return fmt::format("{} b{}{}{}{}", settings.aggregator, settings.batch_size,
                     settings.optimizer == "sgd" ? "" : " " + settings.optimizer,
                     settings.noise == "uniform" ? "" : " " + settings.noise,
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
      "{}_b{}_noise{}{}{}{}{}", as_file_name(settings.aggregator), settings.batch_size,
      percent_text(settings.corrupt_fraction),
      unless(settings.noise == usual.noise, "-" + as_file_name(settings.noise)),
      unless(settings.optimizer == usual.optimizer, "_" + as_file_name(settings.optimizer)),
      unless(settings.learning_rate == usual.learning_rate,
             fmt::format("_lr{:.6g}", settings.learning_rate)),
      unless(settings.seed == usual.seed, fmt::format("_seed{}", settings.seed)));
}

std::string percent_text(double fraction) { return fmt::format("{:.6g}", 100.0 * fraction); }

std::string noise_text(double fraction) {
  return fraction == 0.0 ? "no noise" : fmt::format("{:.4g} % noise", 100.0 * fraction);
}

}  // namespace cograd
