#include "cograd/experiments/report/frontier.h"

#include <algorithm>
#include <string>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

bool has_both(const Setting& setting) {
  return !setting.runs.empty() && setting.first().last().pristine.count > 0 &&
         setting.first().last().corrupt.count > 0;
}

}  // namespace

std::vector<FigureGroup> frontier_figures(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> settings = settings_of(runs);
  std::vector<FigureGroup> groups;
  for (const double fraction : fractions_of(runs)) {
    std::vector<const Setting*> chosen = at_noise(settings, fraction);
    std::erase_if(chosen, [](const Setting* setting) { return !has_both(*setting); });
    if (chosen.empty()) continue;
    Figure figure{"Frontier: corrupt labels fitted over pristine ones",
                  "pristine accuracy (%)",
                  "corrupt labels fitted (%)",
                  {},
                  {}};
    figure.curves = curves_for(chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      for (std::size_t epoch = 1; epoch < chosen[i]->epochs(); ++epoch) {
        figure.curves[i].x.push_back(chosen[i]->at(epoch, pristine_accuracy).mean);
        figure.curves[i].y.push_back(chosen[i]->at(epoch, corrupt_accuracy).mean);
      }
    }
    groups.push_back(
        {.heading = "What is memorized for what is learned, " + noise_text(fraction),
         .figures = {std::move(figure)},
         .text =
             "Each curve follows a setting from its first epoch on, upwards as a rule. One "
             "further down has memorized less for the same share of pristine examples, whenever "
             "one stops: learning slowly is no merit here."});
  }
  return groups;
}

}  // namespace cograd
