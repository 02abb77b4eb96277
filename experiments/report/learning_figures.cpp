#include "experiments/report/learning_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <map>
#include <sstream>
#include <system_error>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/text.h"
#include "experiments/report/curves.h"
#include "experiments/report/point.h"
#include "experiments/run/learning_order.h"

namespace cograd {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Runs of earlier versions have no such files.
bool has(const RunRecord& run, const char* file) {
  std::error_code unreadable;  // counts as none
  return !run.folder.empty() && std::filesystem::exists(run.folder / file, unreadable);
}

std::vector<const Point*> with_file(const std::vector<const Point*>& points, const char* file) {
  std::vector<const Point*> chosen;
  for (const Point* point : points) {
    const bool all = std::all_of(point->runs.begin(), point->runs.end(),
                                 [=](const RunRecord* run) { return has(*run, file); });
    if (all) chosen.push_back(point);
  }
  return chosen;
}

/// Difficulty of all examples of all seeds, and the steps of an epoch.
struct Examples {
  std::vector<ExampleDifficulty> all;
  double steps_per_epoch = 1.0;
};

Examples examples_of(const Point& point) {
  Examples examples;
  for (const RunRecord* run : point.runs) {
    const auto read = read_difficulty(run->folder / "difficulty.csv");
    examples.all.insert(examples.all.end(), read.begin(), read.end());
  }
  // Every epoch's last step has a row in train.csv.
  if (!has(*point.runs.front(), "train.csv")) return examples;
  std::istringstream in(read_file(point.runs.front()->folder / "train.csv"));
  for (std::string line; std::getline(in, line);) {
    long long epoch = 0, step = 0;
    if (std::sscanf(line.c_str(), "%lld,%lld", &epoch, &step) == 2) {
      examples.steps_per_epoch = std::max(examples.steps_per_epoch, static_cast<double>(step));
    }
  }
  return examples;
}

using StepOf = std::optional<std::int64_t> ExampleDifficulty::*;

/// Fills `curve` with the share of examples of one kind whose step has come, over the epochs.
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

/// example_coherence.csv: [kind][parameter][epoch].
using Coherences = std::map<std::string, std::map<std::string, std::vector<double>>>;

Coherences read_coherences(const std::filesystem::path& path, std::vector<std::string>& order) {
  Coherences coherences;
  std::istringstream in(read_file(path));
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    const std::size_t a = line.find(','), b = line.find(',', a + 1), c = line.find(',', b + 1);
    double value = 0.0;
    require<FormatError>(
        c != std::string::npos && std::sscanf(line.c_str() + c + 1, "%lf", &value) == 1,
        "[coherence] {} is damaged: '{}'", printable(path.string()), printable(line.substr(0, 60)));
    const std::string kind = line.substr(a + 1, b - a - 1);
    const std::string parameter = line.substr(b + 1, c - b - 1);
    if (std::find(order.begin(), order.end(), parameter) == order.end()) order.push_back(parameter);
    coherences[kind][parameter].push_back(value);
  }
  return coherences;
}

/// The weights of the first, a middle and the last layer that is not normalization.
std::vector<std::string> shown_layers(const std::vector<std::string>& parameters) {
  std::vector<std::string> weights;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i];
    const bool normalization =
        name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
    if (name.ends_with("weight") && !normalization) weights.push_back(name);
  }
  if (weights.size() <= 3) return weights;
  return {weights.front(), weights[weights.size() / 2], weights.back()};
}

Figure coherence_figure(const Point& point, const std::string& name) {
  constexpr std::array kColours = {"#D55E00", "#0072B2", "#009E73"};
  Figure figure{name, "epoch", "coherence of 8 groups", {}, {0.0, 1.0}};
  std::vector<std::string> order;
  std::vector<Coherences> seeds;
  for (const RunRecord* run : point.runs) {
    seeds.push_back(read_coherences(run->folder / "example_coherence.csv", order));
  }
  const std::vector<std::string> layers = shown_layers(order);
  for (const char* kind : {"pristine", "corrupt"}) {
    const bool corrupt = kind[0] == 'c';
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      Curve curve{
          .label = fmt::format("{} {}", layers[layer].substr(0, layers[layer].rfind('.')), kind),
          .x = {},
          .y = {},
          .colour = kColours[layer],
          .dash = corrupt ? 1 : 0,
          .marker = corrupt ? hollow(static_cast<int>(layer)) : static_cast<int>(layer)};
      for (std::size_t epoch = 0; epoch < point.epochs(); ++epoch) {
        std::vector<double> values;
        for (Coherences& seed : seeds) {
          const std::vector<double>& of_layer = seed[kind][layers[layer]];
          if (epoch < of_layer.size()) values.push_back(of_layer[epoch]);
        }
        if (values.empty()) continue;
        curve.x.push_back(static_cast<double>(point.runs.front()->epochs[epoch].epoch));
        curve.y.push_back(spread_of(values).mean);
      }
      if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
    }
  }
  return figure;
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
  const std::vector<Point> points = points_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(points, fraction), "difficulty.csv");
    if (chosen.empty()) continue;
    std::vector<Examples> examples;
    for (const Point* point : chosen) examples.push_back(examples_of(*point));
    FigureGroup group{"Learning order, " + noise_text(fraction), {}};
    for (const Kind& kind : kKinds) {
      Figure figure{kind.title, "epoch", "share of examples (%)", {}, {0.0, 100.0}, true};
      std::vector<Curve> curves = curves_for(chosen);
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        cumulate(examples[i], kind.corrupt, kind.step_of, curves[i]);
        if (!curves[i].x.empty()) figure.curves.push_back(std::move(curves[i]));
      }
      if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<FigureGroup> coherence_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Point> points = points_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(points, fraction), "example_coherence.csv");
    if (chosen.empty()) continue;
    FigureGroup group{"Coherence of gradients, " + noise_text(fraction), {}};
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      Figure figure = coherence_figure(*chosen[i], names[i]);
      if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
    }
    groups.push_back(std::move(group));
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
  const std::vector<Point> points = points_of(runs);
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(points, fraction), "difficulty.csv");
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      std::array<std::vector<double>, 4> correlations;
      for (const RunRecord* run : chosen[i]->runs) {
        std::vector<double> first;
        std::array<std::vector<double>, 4> scores;
        for (const ExampleDifficulty& e : read_difficulty(run->folder / "difficulty.csv")) {
          const auto number = [](const std::optional<std::int64_t>& step) {
            return step ? static_cast<double>(*step) : kNever;
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
