#include "cograd/experiments/report/page/claims.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/report/page/html.h"

namespace cograd {
namespace {

constexpr std::size_t kVerdictWidth = 13;  // "does not hold"
constexpr std::size_t kSourceWidth = 7;    // "control"
constexpr std::size_t kNarrow = 60;        // too narrow for columns

constexpr std::array kVerdicts{Verdict::holds, Verdict::undecided, Verdict::does_not_hold,
                               Verdict::one_seed, Verdict::not_tested};

/// "3 hold", "1 is undecided".
std::string count_text(Verdict verdict, std::ptrdiff_t count) {
  const bool one = count == 1;
  switch (verdict) {
    case Verdict::holds:
      return fmt::format("{} hold{}", count, one ? "s" : "");
    case Verdict::undecided:
      return fmt::format("{} {} undecided", count, one ? "is" : "are");
    case Verdict::does_not_hold:
      return fmt::format("{} do{} not hold", count, one ? "es" : "");
    case Verdict::one_seed:
      return fmt::format("{} rest{} on one seed", count, one ? "s" : "");
    case Verdict::not_tested:
      return fmt::format("{} {} not tested", count, one ? "was" : "were");
  }
  return "";
}

const char* mark_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "✓";
    case Verdict::does_not_hold:
      return "✗";
    case Verdict::undecided:
      return "?";
    case Verdict::one_seed:
      return "1";
    case Verdict::not_tested:
      break;
  }
  return "–";
}

const char* css_class_of(Verdict verdict) {
  return verdict == Verdict::holds ? "holds" : verdict == Verdict::does_not_hold ? "fails" : "open";
}

}  // namespace

const char* text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::undecided:
      return "undecided";
    case Verdict::does_not_hold:
      return "does not hold";
    case Verdict::one_seed:
      return "one seed";
    case Verdict::not_tested:
      break;
  }
  return "not tested";
}

const char* text_of(Source source) {
  return source == Source::paper ? "paper" : source == Source::control ? "control" : "ours";
}

void sort_by_source(std::vector<Claim>& claims) {
  std::stable_sort(claims.begin(), claims.end(),
                   [](const Claim& a, const Claim& b) { return a.source < b.source; });
}

std::string summary_of(const std::vector<Claim>& claims) {
  std::vector<std::string> sentences;
  for (const auto& [source, name] : {std::pair{Source::paper, "Claims of the paper"},
                                     {Source::control, "Controls"},
                                     {Source::ours, "Our own claims"}}) {
    std::vector<std::string> counts;
    for (const Verdict verdict : kVerdicts) {
      const auto count = std::count_if(
          claims.begin(), claims.end(),
          [&, from = source](const Claim& c) { return c.source == from && c.verdict == verdict; });
      if (count > 0) counts.push_back(count_text(verdict, count));
    }
    if (!counts.empty()) sentences.push_back(fmt::format("{}: {}.", name, fmt::join(counts, ", ")));
  }
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::string claims_reading(const std::vector<Claim>& claims) {
  const auto decided = std::count_if(claims.begin(), claims.end(), [](const Claim& claim) {
    return claim.verdict != Verdict::one_seed && claim.verdict != Verdict::not_tested;
  });
  if (decided == 0) {
    return "Runs of one seed share weights, order and noise, so claims compare them seed by seed. "
           "One "
           "seed shows no spread: a margin above 0 lies on the claim's side, and --seeds 3 or more "
           "gives a verdict.";
  }
  return fmt::format(
      "Runs of one seed share weights, order and noise, so claims compare them seed by seed. The "
      "margin is how far the numbers lie on the claim's side, with the 95 % interval (t) of its "
      "mean "
      "over the seeds. A claim holds if the whole interval is at least 0, does not hold if all of "
      "it "
      "is below, and is undecided otherwise. Each interval stands alone: of {} claims without "
      "anything "
      "to "
      "them, {:.1f} would be said to hold by chance.",
      decided, 0.025 * static_cast<double>(decided));
}

std::string claims_table(const std::vector<Claim>& claims, int width) {
  const auto columns = static_cast<std::size_t>(std::max(width, 15));
  std::string table;
  if (columns < kNarrow) {
    for (const Claim& claim : claims) {
      table += side_by_side({fmt::format("{} ({}): {}", text_of(claim.verdict),
                                         text_of(claim.source), printable(claim.text))},
                            {columns});
      table += side_by_side({"", printable(claim.measured)}, {0, columns - 2});
    }
    return table;
  }
  std::size_t measured = display_width("measured");
  for (const Claim& claim : claims) {
    measured = std::max(measured, display_width(printable(claim.measured)));
  }
  const std::size_t rest = columns - kVerdictWidth - kSourceWidth - 6;  // two blanks between
  measured = std::min(measured, rest / 2);
  const std::vector<std::size_t> widths{rest - measured, kSourceWidth, measured, kVerdictWidth};
  table = side_by_side({"claim", "from", "measured", "verdict"}, widths);
  table += std::string(columns, '-') + "\n";
  for (const Claim& claim : claims) {
    table += side_by_side({printable(claim.text), text_of(claim.source), printable(claim.measured),
                           text_of(claim.verdict)},
                          widths);
  }
  return table;
}

std::string claims_json(const std::vector<Claim>& claims) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Claim& claim : claims) {
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    for (const SeedValues& value : claim.values) {
      values.push_back({{"name", printable(value.name)}, {"by_seed", value.by_seed}});
    }
    json.push_back({{"claim", printable(claim.text)},
                    {"from", text_of(claim.source)},
                    {"verdict", text_of(claim.verdict)},
                    {"measured", printable(claim.measured)},
                    {"seeds", claim.seeds},
                    {"values", std::move(values)},
                    {"margin_by_seed", claim.margins}});
    if (claim.margins.empty()) continue;
    json.back()["margin"] = claim.margin.estimate;
    json.back()["margin_low"] = claim.margin.low;
    json.back()["margin_high"] = claim.margin.high;
  }
  return json.dump(2) + "\n";
}

std::string claims_html(const std::vector<Claim>& claims) {
  if (claims.empty()) {
    return "<p>None: a claim compares an aggregator with the mean at the same batch size and "
           "noise, and there is no such pair among the runs that finished.</p>\n";
  }
  std::string html = fmt::format(
      "<p>{}</p>\n<table class=\"claims\">\n<thead><tr><th>Claim</th><th>From</th><th>Measured</th>"
      "<th>Verdict</th></tr></thead>\n<tbody>\n",
      escaped(claims_reading(claims)));
  for (const Claim& claim : claims) {
    html += fmt::format(
        "<tr><td>{}</td><td class=\"source\">{}</td><td class=\"measured\">{}</td>"
        "<td class=\"{}\">{} {}</td></tr>\n",
        escaped(claim.text), text_of(claim.source), escaped(claim.measured),
        css_class_of(claim.verdict), mark_of(claim.verdict), text_of(claim.verdict));
  }
  return html + "</tbody>\n</table>\n";
}

}  // namespace cograd
