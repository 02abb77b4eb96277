#include "cograd/experiments/report/coherence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <sstream>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

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

Figure coherence_figure(const Setting& setting, const std::string& name) {
  constexpr std::array kColours = {"#D55E00", "#0072B2", "#009E73"};
  Figure figure{name, "epoch", "coherence of 8 groups", {}, {0.0, 1.0}};
  std::vector<std::string> order;
  std::vector<Coherences> seeds;
  for (const RunRecord* run : setting.runs) {
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
      for (std::size_t epoch = 0; epoch < setting.epochs(); ++epoch) {
        std::vector<double> values;
        for (Coherences& seed : seeds) {
          const std::vector<double>& of_layer = seed[kind][layers[layer]];
          if (epoch < of_layer.size()) values.push_back(of_layer[epoch]);
        }
        if (values.empty()) continue;
        curve.x.push_back(static_cast<double>(setting.runs.front()->epochs[epoch].epoch));
        curve.y.push_back(spread_of(values).mean);
      }
      if (!curve.x.empty()) figure.curves.push_back(std::move(curve));
    }
  }
  return figure;
}

}  // namespace

std::vector<FigureGroup> coherence_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    const auto chosen = with_file(at_noise(settings, fraction), "example_coherence.csv");
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

}  // namespace cograd
