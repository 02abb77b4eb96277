#include "cograd/experiments/report/generalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/evidence.h"
#include "cograd/experiments/report/setting.h"

namespace cograd {
namespace {

// Thresholds of the claims: percentage points, and a share.
constexpr double kFarAbove = 20.0;
constexpr double kBeyondChance = 0.3;

struct TestSet {
  const char* title;
  const char* column;
  Quantity accuracy;
};

/// How the curve of a training set looks, whatever else a figure shows.
Curve style_of(const std::string& side) {
  const int number = side == "easy" ? 0 : side == "hard" ? 1 : 2;
  return {.label = "on " + side,
          .x = {},
          .y = {},
          .colour = kPalette.at(static_cast<std::size_t>(number)),
          .dash = number,
          .marker = number};
}

bool has_test(const SideRuns& side, const std::string& name) {
  return std::any_of(side.runs.begin(), side.runs.end(), [&](const RunRecord& run) {
    return !run.epochs.empty() && run.last().further.contains(name);
  });
}

/// The accuracy on a further test; 0 if there is none of that name.
Quantity accuracy_on(const std::string& name) {
  return [name](const EpochRecord& e) {
    const auto found = e.further.find(name);
    return found == e.further.end() ? 0.0 : found->second.acc1;
  };
}

std::array<TestSet, 3> test_sets() {
  return {TestSet{"Accuracy on easy examples that were held out", "easy test %",
                  accuracy_on("easy_test")},
          TestSet{"Accuracy on hard examples that were held out", "hard test %",
                  accuracy_on("hard_test")},
          TestSet{"Accuracy on the full test set", "full test %",
                  [](const EpochRecord& e) { return e.test.acc1; }}};
}

Setting setting_of(const SideRuns& side) {
  Setting setting;
  for (const RunRecord& run : side.runs) {
    (run.finished() && !run.epochs.empty() ? setting.runs : setting.failed).push_back(&run);
  }
  return setting;
}

/// The claim that one accuracy is at least kFarAbove points above another.
Claim far_above(std::string text, Source source, const Setting& a, const Quantity& of_a,
                const Setting& b, const Quantity& of_b) {
  return make_claim(std::move(text), source,
                    paired({last_value(a, of_a), last_value(b, of_b)},
                           [](const std::vector<double>& v) { return v[0] - v[1] - kFarAbove; }));
}

void claims_about_sides(const Setting& easy, const Setting& hard, std::vector<Claim>& claims) {
  const Quantity on_easy = accuracy_on("easy_test"), on_hard = accuracy_on("hard_test");
  if (easy.seeds() > 0 && hard.seeds() > 0) {
    claims.push_back(
        far_above(fmt::format("easy examples generalize better among themselves: trained "
                              "and tested on easy ones the accuracy is at least {:.0f} "
                              "points above that of trained and tested on hard ones",
                              kFarAbove),
                  Source::paper, easy, on_easy, hard, on_hard));
  }
  if (easy.seeds() > 0) {
    claims.push_back(
        far_above(fmt::format("what is learned on easy examples does not carry over to "
                              "hard ones as it does to easy ones: trained on easy ones, "
                              "accuracy on easy tests is at least {:.0f} points above "
                              "that on hard tests",
                              kFarAbove),
                  Source::paper, easy, on_easy, easy, on_hard));
  }
}

}  // namespace

Agreement agreement(const std::vector<std::int64_t>& easy, const std::vector<std::int64_t>& other,
                    std::int64_t examples) {
  std::vector<std::int64_t> both;
  std::set_intersection(easy.begin(), easy.end(), other.begin(), other.end(),
                        std::back_inserter(both));
  Agreement result;
  if (!easy.empty())
    result.both = static_cast<double>(both.size()) / static_cast<double>(easy.size());
  result.chance = static_cast<double>(other.size()) / static_cast<double>(examples);
  return result;
}

std::vector<Claim> generalization_claims(const std::vector<SideRuns>& sides,
                                         const std::vector<Agreement>& agreements) {
  std::vector<Claim> claims;
  const Setting easy = setting_of(sides.at(0)), hard = setting_of(sides.at(1));
  claims_about_sides(easy, hard, claims);
  Evidence evidence;
  evidence.values = {{"agreement", {}}, {"by chance", {}}, {"of the way", {}}};
  for (const Agreement& pair : agreements) {
    evidence.seeds.push_back(pair.seed);
    evidence.values[0].by_seed.push_back(100.0 * pair.both);
    evidence.values[1].by_seed.push_back(100.0 * pair.chance);
    evidence.values[2].by_seed.push_back(100.0 * pair.beyond_chance());
  }
  evidence.margin = [](const std::vector<double>& v) { return v[2] - 100.0 * kBeyondChance; };
  evidence.between = " %, ";
  evidence.unit = " % (agreement, by chance, share of the way)";
  claims.push_back(make_claim(
      fmt::format("what is easy is easy to another seed as well: the agreement of two runs "
                  "is at least {:.0f} % of the way from chance to full",
                  100.0 * kBeyondChance),
      Source::ours, evidence));
  return claims;
}

std::vector<Claim> equal_classes_claims(const std::vector<SideRuns>& sides) {
  if (sides.size() < 2) return {};
  const Setting easy = setting_of(sides[0]), hard = setting_of(sides[1]);
  if (easy.seeds() == 0 || hard.seeds() == 0) return {};
  const Quantity on_easy = accuracy_on("easy_test"), on_hard = accuracy_on("hard_test");
  const std::string where = "with as many examples of each class on either side, ";
  return {far_above(fmt::format("{}trained and tested on easy ones the accuracy is at least {:.0f} "
                                "points above that of trained and tested on hard ones",
                                where, kFarAbove),
                    Source::control, easy, on_easy, hard, on_hard),
          far_above(fmt::format("{}trained on easy ones the accuracy on easy tests is at least "
                                "{:.0f} points above that on hard tests",
                                where, kFarAbove),
                    Source::control, easy, on_easy, easy, on_hard)};
}

std::string generalization_answer(const std::vector<SideRuns>& sides,
                                  const std::vector<Claim>& claims) {
  const Setting easy = setting_of(sides.at(0)), hard = setting_of(sides.at(1));
  if (easy.seeds() == 0 || hard.seeds() == 0) return summary_of(claims);
  const Claim difference = make_claim(
      "", Source::paper,
      paired(
          {last_value(easy, accuracy_on("easy_test")), last_value(hard, accuracy_on("hard_test"))},
          [](const std::vector<double>& v) { return v[0] - v[1]; }));
  if (difference.seeds.empty()) return summary_of(claims);
  return fmt::format(
      "Trained and tested on easy examples the accuracy is {:.1f} %, on hard ones {:.1f} %: "
      "{:+.1f} "
      "points{}. {}",
      mean_of(difference.values[0]), mean_of(difference.values[1]), difference.margin.estimate,
      bracketed(difference.margin, "95 % interval ",
                fmt::format(", {} seeds", difference.seeds.size())),
      summary_of(claims));
}

FigureGroup generalization_figures(const std::string& heading, const std::vector<SideRuns>& sides) {
  std::vector<Setting> settings;
  std::vector<std::string> names;
  for (const SideRuns& side : sides) {
    settings.push_back(setting_of(side));
    names.push_back("on " + side.name);
  }
  std::vector<const Setting*> pointers;
  for (const Setting& setting : settings) pointers.push_back(&setting);
  FigureGroup group{heading, {}, failures_text(pointers, names)};
  const auto add = [&](const std::string& title, const Quantity& accuracy) {
    Figure figure{title, "epoch", "accuracy (%)", {}, {0.0, 100.0}};
    for (std::size_t i = 0; i < sides.size(); ++i) {
      const Curve style = style_of(sides[i].name);
      if (settings[i].seeds() > 0) {
        figure.curves.push_back(style);
        add_epochs(settings[i], accuracy, figure.curves.back());
      }
      for (const RunRecord* run : settings[i].failed) {
        if (run->epochs.empty()) continue;
        figure.curves.push_back(style);
        add_failed(*run, accuracy, figure.curves.back());
      }
    }
    if (!figure.curves.empty()) group.figures.push_back(std::move(figure));
  };
  for (const TestSet& set : test_sets()) add(set.title, set.accuracy);
  add("Accuracy on what was trained on", [](const EpochRecord& e) { return e.train_sample.acc1; });
  return group;
}

Table generalization_table(const std::vector<SideRuns>& sides) {
  Table table{.heading = "Final numbers",
              .header = {"trained on", "examples", "seeds", "training %"}};
  for (const TestSet& set : test_sets()) table.header.emplace_back(set.column);
  const std::string random = "random_test";
  const bool controls = std::any_of(sides.begin(), sides.end(),
                                    [&](const SideRuns& side) { return has_test(side, random); });
  if (controls) table.header.emplace_back("random test %");
  for (const SideRuns& side : sides) {
    const Setting setting = setting_of(side);
    for (const RunRecord* run : setting.failed) {
      table.rows.push_back(
          {side.name, "–", fmt::format("seed {}", run->settings.seed), "failed: " + run->failure});
    }
    if (setting.runs.empty()) continue;
    const auto text = [&](const Quantity& quantity) {
      return spread_text(setting.last(quantity), setting.seeds());
    };
    std::vector<std::string> row{
        side.name, fmt::format("{}", setting.runs.front()->last().train_sample.count),
        seeds_text(setting), text([](const EpochRecord& e) { return e.train_sample.acc1; })};
    for (const TestSet& set : test_sets()) row.push_back(text(set.accuracy));
    if (controls) row.push_back(has_test(side, random) ? text(accuracy_on(random)) : "–");
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace cograd
