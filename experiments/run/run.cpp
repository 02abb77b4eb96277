// Names of runs.
#include "experiments/run/run.h"

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
  return fmt::format("{} b{}", settings.aggregator, settings.batch_size);
}

std::string directory_name_of(const RunSettings& settings) {
  std::string aggregator = settings.aggregator;
  std::replace_if(
      aggregator.begin(), aggregator.end(), [](char c) { return c == ':' || c == ','; }, '-');
  return fmt::format("{}_b{}_noise{}{}", aggregator, settings.batch_size,
                     percent_text(settings.corrupt_fraction),
                     settings.seed == 1 ? "" : fmt::format("_seed{}", settings.seed));
}

std::string percent_text(double fraction) { return fmt::format("{:.6g}", 100.0 * fraction); }

std::string noise_text(double fraction) {
  return fraction == 0.0 ? "no noise" : percent_text(fraction) + " % noise";
}

}  // namespace cograd
