#include "cograd/experiments/report/learning_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>

#include "cograd/engine/file.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/rank_correlation.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

/// The examples of all seeds, and the steps of an epoch.
struct Examples {
  std::vector<ExampleDifficulty> all;
  double steps_per_epoch = 1.0;
};

Examples examples_of(const Setting& setting) {
  Examples examples;
  for (const RunRecord* run : setting.runs) {
    const auto read = read_difficulty(run->folder / "difficulty.csv");
    examples.all.insert(examples.all.end(), read.begin(), read.end());
  }
  // Every epoch's last step has a row in train.csv.
  if (!has_file(*setting.runs.front(), "train.csv")) return examples;
  std::istringstream in(read_file(setting.runs.front()->folder / "train.csv"));
  for (std::string line; std::getline(in, line);) {
    long long epoch = 0, step = 0;
    if (std::sscanf(line.c_str(), "%lld,%lld", &epoch, &step) == 2) {
      examples.steps_per_epoch = std::max(examples.steps_per_epoch, static_cast<double>(step));
    }
  }
  return examples;
}

using StepOf = std::optional<std::int64_t> ExampleDifficulty::*;

/// Fills `curve` with the share of examples of one kind whose step is past, over the epochs.
void cumulate(const Examples& examples, bool corrupt, StepOf step_of, Curve& curve) {
  std::map<std::int64_t, std::int64_t> counts;
  std::int64_t total = 0;
  for (const ExampleDifficulty& e : examples.all) {
    if (e.corrupt() != corrupt) continue;
    ++total;
    if (e.*step_of) ++counts[*(e.*step_of)];
  }
  std::int64_t sum = 0;
  for (const auto& [step, count] : counts) {
    sum += count;
    if (step == 0) continue;  // no place on a logarithmic axis
    curve.x.push_back(static_cast<double>(step) / examples.steps_per_epoch);
    curve.y.push_back(100.0 * static_cast<double>(sum) / static_cast<double>(total));
  }
}

}  // namespace

std::vector<FigureGroup> learning_order_figures(const std::vector<RunRecord>& runs) {
  struct Kind {
    const char* title;
    bool corrupt;
    StepOf step_of;
  };
  constexpr std::array kKinds = {
      Kind{"Pristine examples first learned", false, &ExampleDifficulty::first_learned},
      Kind{"Pristine examples learned for good", false, &ExampleDifficulty::learned_since},
      Kind{"Corrupt examples first learned", true, &ExampleDifficulty::first_learned},
      Kind{"Corrupt examples learned for good", true, &ExampleDifficulty::learned_since}};
  const std::vector<Setting> settings = all_settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = at_noise(settings, fraction);
    const std::vector<Curve> styles = curves_for(chosen);
    std::vector<std::optional<Examples>> examples;
    for (const Setting* setting : chosen) {
      const bool left = !setting->runs.empty() && !with_file({setting}, "difficulty.csv").empty();
      examples.push_back(left ? std::optional(examples_of(*setting)) : std::nullopt);
    }
    FigureGroup group{"Learning order, " + noise_text(fraction), {}};
    for (const Kind& kind : kKinds) {
      Figure figure{kind.title, "epoch", "share of examples (%)", {}, {0.0, 100.0}, true};
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (!examples[i]) continue;
        Curve curve = styles[i];
        cumulate(*examples[i], kind.corrupt, kind.step_of, curve);
        if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
      }
      if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
    }
    if (!group.figures.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

Table difficulty_table(const std::vector<RunRecord>& runs) {
  Table table{
      .heading = "Difficulty scores and learning order",
      .text =
          "Spearman's rank correlation of a score with the step at which an example was first "
          "learned (difficulty.csv in each run's folder has them all). EL2N and the norm of the "
          "last layer's gradient are taken after a tenth of the epochs. High: the score tells "
          "early what will be learned late.",
      .header = {"run", "noise %", "EL2N", "gradient norm", "forgetting events",
                 "learned for good"}};
  const std::vector<Setting> settings = settings_of(runs);
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(settings, fraction), "difficulty.csv");
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      std::array<std::vector<double>, 4> correlations;
      for (const RunRecord* run : chosen[i]->runs) {
        std::vector<double> first;
        std::array<std::vector<double>, 4> scores;
        for (const ExampleDifficulty& e : read_difficulty(run->folder / "difficulty.csv")) {
          const auto number = [](const std::optional<std::int64_t>& step) {
            return step ? static_cast<double>(*step) : kNeverLearned;
          };
          first.push_back(number(e.first_learned));
          scores[0].push_back(e.el2n);
          scores[1].push_back(e.gradient_norm);
          scores[2].push_back(static_cast<double>(e.forgetting_events));
          scores[3].push_back(number(e.learned_since));
        }
        for (std::size_t s = 0; s < scores.size(); ++s) {
          correlations[s].push_back(rank_correlation(scores[s], first));
        }
      }
      std::vector<std::string> row{names[i], percent_text(fraction)};
      for (const auto& values : correlations) {
        row.push_back(spread_text(spread_of(values), values.size(), 2));
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace cograd
