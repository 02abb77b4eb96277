#include "cograd/experiments/report/evidence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace cograd {
namespace {

constexpr double kPrecision = 1e-4;
constexpr int kMostDecimals = 6;

Verdict verdict_of(const Interval& margin, std::size_t seeds, bool strict) {
  if (seeds == 0) return Verdict::not_tested;
  if (seeds == 1) return Verdict::one_seed;
  const auto on_side = [&](double value) {
    return strict ? value > kPrecision : value >= -kPrecision;
  };
  if (on_side(margin.low)) return Verdict::holds;
  return on_side(margin.high) ? Verdict::undecided : Verdict::does_not_hold;
}

Interval rounded(const Interval& margin, int decimals) {
  const auto round = [=](double value) {
    return std::strtod(fmt::format("{:.{}f}", value, decimals).c_str(), nullptr);
  };
  return {round(margin.estimate), round(margin.low), round(margin.high)};
}

std::string measured_text(const Evidence& evidence, const Interval& margin, int decimals) {
  std::vector<std::string> texts;
  for (const SeedValues& value : evidence.values) {
    texts.push_back(spread_text(spread_of(value.by_seed), value.by_seed.size(), decimals));
  }
  std::string text = fmt::format("{}{}{}, margin {:+.{}f}", fmt::join(texts, evidence.between),
                                 evidence.unit, evidence.note, margin.estimate, decimals);
  if (evidence.seeds.size() > 1) {
    text += fmt::format(" ({:.{}f} to {:.{}f})", margin.low, decimals, margin.high, decimals);
  }
  return text;
}

const RunRecord* run_of(const Setting& setting, std::uint64_t seed) {
  const auto found = std::find_if(setting.runs.begin(), setting.runs.end(),
                                  [=](const RunRecord* run) { return run->settings.seed == seed; });
  return found == setting.runs.end() ? nullptr : *found;
}

}  // namespace

Compared last_value(const Setting& setting, const Quantity& quantity) {
  return {&setting, label_of(setting.run_settings()),
          [quantity](const RunRecord& run) { return quantity(run.last()); }};
}

Evidence paired(const std::vector<Compared>& compared,
                std::function<double(const std::vector<double>&)> margin) {
  Evidence evidence;
  evidence.margin = std::move(margin);
  for (const Compared& c : compared) evidence.values.push_back({c.name, {}});
  std::size_t most = 0;
  for (const Compared& c : compared) {
    most = std::max(most, c.setting->runs.size() + c.setting->failed.size());
  }
  for (const RunRecord* first : compared.front().setting->runs) {
    const std::uint64_t seed = first->settings.seed;
    const bool all = std::all_of(compared.begin(), compared.end(), [&](const Compared& c) {
      return run_of(*c.setting, seed) != nullptr;
    });
    if (!all) continue;
    evidence.seeds.push_back(seed);
    for (std::size_t i = 0; i < compared.size(); ++i) {
      evidence.values[i].by_seed.push_back(compared[i].value(*run_of(*compared[i].setting, seed)));
    }
  }
  if (evidence.seeds.size() < most) {
    evidence.note = fmt::format(" ({} of {} seeds)", evidence.seeds.size(), most);
  }
  return evidence;
}

Claim make_claim(std::string text, Source source, const Evidence& evidence) {
  if (evidence.seeds.empty()) return not_tested(std::move(text), source, "no seed in common");
  Claim claim{.text = std::move(text), .source = source, .measured = {}};
  claim.seeds = evidence.seeds;
  claim.values = evidence.values;
  for (std::size_t i = 0; i < claim.seeds.size(); ++i) {
    std::vector<double> of_seed;
    for (const SeedValues& value : evidence.values) of_seed.push_back(value.by_seed.at(i));
    claim.margins.push_back(evidence.margin(of_seed));
  }
  claim.margin = mean_interval(claim.margins);
  claim.verdict = verdict_of(claim.margin, claim.seeds.size(), evidence.strict);
  int decimals = evidence.decimals;
  const auto changed = [&] {
    return verdict_of(rounded(claim.margin, decimals), claim.seeds.size(), evidence.strict) !=
           claim.verdict;
  };
  while (decimals < kMostDecimals && changed()) ++decimals;
  claim.measured = measured_text(evidence, claim.margin, decimals);
  return claim;
}

double mean_of(const SeedValues& values) { return spread_of(values.by_seed).mean; }

std::string bracketed(const Interval& interval, std::string_view before, std::string_view after) {
  if (!std::isfinite(interval.low)) return "";
  return fmt::format(" ({}{:.1f} to {:.1f}{})", before, interval.low, interval.high, after);
}

Claim not_tested(std::string text, Source source, std::string why) {
  return {.text = std::move(text), .source = source, .measured = std::move(why)};
}

}  // namespace cograd
