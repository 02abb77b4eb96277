#include "cograd/experiments/study/cost_estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/console/progress.h"

namespace cograd {

CostEstimate estimate_cost(const Study& study) {
  CostEstimate cost;
  cost.images = study.data.train->size() + study.data.test->size();
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    const RunSettings& run = study.runs[i];
    const auto step = study.step_costs.find(label_of(run));
    if (study.over[i] || step == study.step_costs.end()) continue;
    const std::int64_t steps =
        run.epochs * (examples_per_epoch(run, study.data.train->size()) / run.batch_size);
    ++cost.runs;
    cost.steps += steps;
    cost.seconds += static_cast<double>(steps) * step->second.seconds;
    cost.peak_bytes = std::max(cost.peak_bytes, step->second.peak_bytes);
  }
  if (cost.steps > 0) cost.step_seconds = cost.seconds / static_cast<double>(cost.steps);
  return cost;
}

std::string estimate_text(const CostEstimate& cost, std::size_t width) {
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  std::string text = "It will need:\n";
  const auto add = [&](const char* name, const std::string& value) {
    text += side_by_side({"", name, value}, {0, 6, width - 10});
  };
  add("images", fmt::format("{}", cost.images));
  add("steps", fmt::format("{} in {} runs", cost.steps, cost.runs));
  add("memory",
      fmt::format("{:.2f} GiB at the peak of a step", static_cast<double>(cost.peak_bytes) / kGiB));
  add("time", fmt::format("about {} of training, at {:.3g} s a step as measured now; evaluation "
                          "comes on top",
                          duration_text(cost.seconds), cost.step_seconds));
  return text;
}

}  // namespace cograd
