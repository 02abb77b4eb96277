#include "cograd/experiments/report/coherence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "cograd/engine/gradient_observer.h"
#include "cograd/experiments/record/coherence_files.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

constexpr const char* kFile = "example_coherence.csv";
constexpr std::array kKinds = {"pristine", "corrupt"};
constexpr std::array kColours = {"#0072B2", "#D55E00"};  // of the kinds
constexpr const char* kText =
    "m-coherence of 64 examples: 64 if the gradients of the examples are identical, 1 (grey line) "
    "if they have nothing in common. Pristine examples: blue, filled markers; corrupt examples: "
    "orange, hollow markers; a layer has one dash. The band is the range over the seeds or, with "
    "one seed, the 95 % "
    "jackknife interval over six batches.";

/// Of one run: [kind][parameter][epoch].
using Alphas = std::map<std::string, std::map<std::string, std::vector<Interval>>>;

Alphas read_alphas(const RunRecord& run, std::vector<std::string>& order) {
  Alphas alphas;
  for (const ExampleAlpha& row : read_example_alphas(run.folder / kFile)) {
    if (std::find(order.begin(), order.end(), row.parameter) == order.end()) {
      order.push_back(row.parameter);
    }
    alphas[row.kind][row.parameter].push_back(row.alpha);
  }
  return alphas;
}

double m_coherence(double alpha) { return 1.0 + (kCoherenceBatch - 1) * alpha; }

/// The weights of the first, a middle and the last layer, normalization layers excepted.
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

/// The runs of one setting, one per seed.
struct SettingAlphas {
  const Setting& setting;
  std::vector<std::string> parameters{};
  std::vector<Alphas> seeds{};

  explicit SettingAlphas(const Setting& of) : setting(of) {
    for (const RunRecord* run : of.runs) seeds.push_back(read_alphas(*run, parameters));
  }

  /// Adds the m-coherence over the epochs to `curve`, with a band.
  void add(const std::string& kind, const std::string& parameter, Curve& curve) {
    for (std::size_t epoch = 0; epoch < setting.epochs(); ++epoch) {
      std::vector<double> values;
      Interval interval;
      for (Alphas& seed : seeds) {
        const std::vector<Interval>& of = seed[kind][parameter];
        if (epoch >= of.size() || std::isnan(of[epoch].estimate)) continue;
        interval = of[epoch];
        values.push_back(m_coherence(interval.estimate));
      }
      if (values.empty()) continue;
      const Spread spread = spread_of(values);
      const bool one = values.size() == 1;
      curve.x.push_back(static_cast<double>(setting.runs.front()->epochs[epoch].epoch));
      curve.y.push_back(spread.mean);
      curve.low.push_back(one ? m_coherence(interval.low) : spread.low);
      curve.high.push_back(one ? m_coherence(interval.high) : spread.high);
    }
    const auto unknown = [](double end) { return !std::isfinite(end); };
    if (std::any_of(curve.low.begin(), curve.low.end(), unknown)) {
      curve.low.clear();
      curve.high.clear();
    }
  }
};

Figure figure_of(const std::string& title, SettingAlphas& alphas,
                 const std::vector<std::string>& parameters) {
  Figure figure{title, "epoch", "m-coherence of 64 examples", {}, {}};
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = parameters[i];
      const std::string layer =
          name == GradientObserver::kTotal ? "" : name.substr(0, name.rfind('.')) + " ";
      const int style = static_cast<int>(i);
      Curve curve{.label = layer + kKinds[kind],
                  .x = {},
                  .y = {},
                  .colour = kColours[kind],
                  .dash = style,
                  .marker = kind == 0 ? style : hollow(style)};
      alphas.add(kKinds[kind], name, curve);
      if (parameters.size() > 1) curve.low.clear(), curve.high.clear();  // six bands hide all
      if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
    }
  }
  if (figure.curves.empty()) return figure;
  const std::vector<double>& epochs = figure.curves.front().x;
  figure.curves.push_back({.label = "orthogonal",
                           .x = {epochs.front(), epochs.back()},
                           .y = {1.0, 1.0},
                           .colour = "#888888",
                           .reference = true});
  return figure;
}

void add_figures(const Setting& setting, const std::string& name, FigureGroup& group) {
  SettingAlphas alphas(setting);
  for (const auto& [title, parameters] :
       {std::pair(name + ", whole network", std::vector<std::string>{GradientObserver::kTotal}),
        std::pair(name + ", layers", shown_layers(alphas.parameters))}) {
    Figure figure = figure_of(title, alphas, parameters);
    if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
  }
}

}  // namespace

std::vector<FigureGroup> coherence_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(settings, fraction), kFile);
    if (chosen.empty()) continue;
    FigureGroup group{"Coherence of gradients, " + noise_text(fraction), {}, {}, kText};
    const std::vector<std::string> names = names_of(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      add_figures(*chosen[i], names[i], group);
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace cograd
