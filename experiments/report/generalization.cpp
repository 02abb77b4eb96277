#include "experiments/report/generalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "experiments/report/point.h"

namespace cograd {
namespace {

/// Points of accuracy.
constexpr double kFarAbove = 20.0;
constexpr double kBeyondChance = 0.3;

struct TestSet {
  const char* title;
  const char* column;
  Quantity accuracy;
};

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

Point point_of(const SideRuns& side) {
  Point point;
  for (const RunRecord& run : side.runs) point.runs.push_back(&run);
  return point;
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
                                         const Agreement& agreement) {
  const Point easy = point_of(sides.at(0)), hard = point_of(sides.at(1));
  const Quantity on_easy = accuracy_on("easy_test"), on_hard = accuracy_on("hard_test");
  const auto text = [](const Point& point, const Quantity& quantity) {
    return spread_text(point.last(quantity), point.seeds());
  };
  std::vector<Claim> claims;
  claims.push_back({fmt::format("easy examples generalize better among themselves: trained and "
                                "tested on easy ones the accuracy is at least {:.0f} points above "
                                "that of trained and tested on hard ones",
                                kFarAbove),
                    fmt::format("{} % against {} %", text(easy, on_easy), text(hard, on_hard)),
                    easy.last(on_easy).mean >= hard.last(on_hard).mean + kFarAbove});
  claims.push_back(
      {"what is learned on easy examples does not carry over to hard ones as it does "
       "to easy ones: trained on easy ones, accuracy on easy tests is at least 20 "
       "points above that on hard tests",
       fmt::format("{} % against {} %", text(easy, on_easy), text(easy, on_hard)),
       easy.last(on_easy).mean >= easy.last(on_hard).mean + kFarAbove});
  claims.push_back(
      {fmt::format("what is easy is easy to another seed as well: the agreement of two runs is at "
                   "least {:.1f} of the way from chance to full",
                   kBeyondChance),
       fmt::format("{:.1f} %, by chance {:.1f} %: {:.2f} of the way", 100.0 * agreement.both,
                   100.0 * agreement.chance, agreement.beyond_chance()),
       agreement.beyond_chance() >= kBeyondChance});
  return claims;
}

std::vector<FigureGroup> generalization_figures(const std::vector<SideRuns>& sides) {
  FigureGroup group{"Trained on easy and on hard examples", {}};
  const auto add = [&](const std::string& title, const Quantity& accuracy) {
    Figure figure{title, "epoch", "accuracy (%)", {}, {0.0, 100.0}};
    for (const SideRuns& side : sides) {
      const Point point = point_of(side);
      const bool easy = side.name == "easy";
      Curve curve{.label = "on " + side.name,
                  .x = {},
                  .y = {},
                  .colour = easy ? "#0072B2" : "#D55E00",
                  .dash = easy ? 0 : 1,
                  .marker = easy ? 0 : 1};
      for (std::size_t epoch = 0; epoch < point.epochs(); ++epoch) {
        const Spread spread = point.at(epoch, accuracy);
        curve.x.push_back(static_cast<double>(point.runs.front()->epochs[epoch].epoch));
        curve.y.push_back(spread.mean);
        if (point.seeds() == 1) continue;
        curve.low.push_back(spread.low);
        curve.high.push_back(spread.high);
      }
      figure.curves.push_back(std::move(curve));
    }
    group.figures.push_back(std::move(figure));
  };
  for (const TestSet& set : test_sets()) add(set.title, set.accuracy);
  add("Accuracy on what was trained on", [](const EpochRecord& e) { return e.train_sample.acc1; });
  return {group};
}

Table generalization_table(const std::vector<SideRuns>& sides) {
  Table table{.heading = "Final numbers",
              .header = {"trained on", "examples", "seeds", "training %"}};
  for (const TestSet& set : test_sets()) table.header.emplace_back(set.column);
  for (const SideRuns& side : sides) {
    const Point point = point_of(side);
    const auto text = [&](const Quantity& quantity) {
      return spread_text(point.last(quantity), point.seeds());
    };
    std::vector<std::string> row{side.name,
                                 fmt::format("{}", point.runs.front()->last().train_sample.count),
                                 fmt::format("{}", point.seeds()),
                                 text([](const EpochRecord& e) { return e.train_sample.acc1; })};
    for (const TestSet& set : test_sets()) row.push_back(text(set.accuracy));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace cograd
