#include "cograd/experiments/report/page/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/columns.h"

namespace cograd {
namespace {

constexpr double kPrecision = 1e-4;
constexpr int kMostDecimals = 6;
constexpr std::size_t kVerdictWidth = 13;  // "does not hold"
constexpr std::size_t kNarrow = 48;        // too narrow for columns

bool holds(const Evidence& evidence, const std::vector<double>& values) {
  const double margin = evidence.margin(values);
  return evidence.strict ? margin > kPrecision : margin >= -kPrecision;
}

/// The values as printed.
std::vector<double> rounded(std::vector<double> values, int decimals) {
  for (double& v : values) v = std::strtod(fmt::format("{:.{}f}", v, decimals).c_str(), nullptr);
  return values;
}

}  // namespace

Claim make_claim(std::string text, const Evidence& evidence) {
  const bool result = holds(evidence, evidence.values);
  int decimals = evidence.decimals;
  while (decimals < kMostDecimals && holds(evidence, rounded(evidence.values, decimals)) != result)
    ++decimals;
  return {std::move(text), evidence.text(decimals), result};
}

const char* verdict(const Claim& claim) { return claim.holds ? "holds" : "does not hold"; }

std::string claims_table(const std::vector<Claim>& claims, int width) {
  const auto columns = static_cast<std::size_t>(std::max(width, 15));
  std::string table;
  if (columns < kNarrow) {
    for (const Claim& claim : claims) {
      table +=
          side_by_side({fmt::format("{}: {}", verdict(claim), printable(claim.text))}, {columns});
      table += side_by_side({"", printable(claim.measured)}, {0, columns - 2});
    }
    return table;
  }
  std::size_t measured = display_width("measured");
  for (const Claim& claim : claims) {
    measured = std::max(measured, display_width(printable(claim.measured)));
  }
  const std::size_t rest = columns - kVerdictWidth - 4;  // two blanks between columns
  measured = std::min(measured, rest * 2 / 5);
  const std::vector<std::size_t> widths{rest - measured, measured, kVerdictWidth};
  table = side_by_side({"claim", "measured", "verdict"}, widths);
  table += std::string(columns, '-') + "\n";
  for (const Claim& claim : claims) {
    table +=
        side_by_side({printable(claim.text), printable(claim.measured), verdict(claim)}, widths);
  }
  return table;
}

std::string claims_json(const std::vector<Claim>& claims) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Claim& claim : claims) {
    json.push_back({{"claim", printable(claim.text)},
                    {"measured", printable(claim.measured)},
                    {"holds", claim.holds}});
  }
  return json.dump(2) + "\n";
}

}  // namespace cograd
