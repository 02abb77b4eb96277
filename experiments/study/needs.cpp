#include "experiments/study/needs.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/columns.h"
#include "experiments/run/progress.h"

namespace cograd {

Needs needs_of(const Study& study) {
  Needs needs;
  needs.images = study.data.train->size() + study.data.test->size();
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const RunSettings& run = study.runs[i];
    const auto cost = study.step_costs.find(label_of(run));
    if (study.over[i] || cost == study.step_costs.end()) continue;
    const std::int64_t steps =
        run.epochs * (examples_per_epoch(run, study.data.train->size()) / run.batch_size);
    ++needs.runs;
    needs.steps += steps;
    needs.seconds += static_cast<double>(steps) * cost->second.seconds;
    needs.peak_bytes = std::max(needs.peak_bytes, cost->second.peak_bytes);
  }
  if (needs.steps > 0) needs.step_seconds = needs.seconds / static_cast<double>(needs.steps);
  return needs;
}

std::string needs_text(const Needs& needs, std::size_t width) {
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  std::string text = "It will need:\n";
  const auto add = [&](const char* name, const std::string& value) {
    text += side_by_side({"", name, value}, {0, 6, width - 10});
  };
  add("images", fmt::format("{}", needs.images));
  add("steps", fmt::format("{} in {} runs", needs.steps, needs.runs));
  add("memory", fmt::format("{:.2f} GiB at the peak of a step",
                            static_cast<double>(needs.peak_bytes) / kGiB));
  add("time", fmt::format("about {} of training, at {:.3g} s a step as measured now; evaluation "
                          "comes on top",
                          duration_text(needs.seconds), needs.step_seconds));
  return text;
}

}  // namespace cograd
