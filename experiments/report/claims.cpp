// The claims table, as text and as JSON.
#include "experiments/report/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/file.h"

namespace cograd {
namespace {

/// Breaks `text` at blanks into lines of at most `width` columns, where words allow.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (lines.back().empty()) {
      lines.back() = word;
    } else if (lines.back().size() + 1 + word.size() <= width) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
    begin = end + 1;
  }
  return lines;
}

}  // namespace

const char* verdict(const Claim& claim) { return claim.holds ? "holds" : "does not hold"; }

std::string claims_table(const std::vector<Claim>& claims, int width) {
  std::size_t measured_width = std::string("measured").size();
  for (const Claim& claim : claims)
    measured_width = std::max(measured_width, claim.measured.size());
  const std::size_t verdict_width = std::string("does not hold").size();
  const std::size_t others = measured_width + verdict_width + 4;
  const std::size_t text_width = std::max<std::size_t>(
      30, static_cast<std::size_t>(std::max(width, 0)) -
              std::min<std::size_t>(others, static_cast<std::size_t>(std::max(width, 0))));

  std::string table =
      fmt::format("{:{}}  {:{}}  {}\n", "claim", text_width, "measured", measured_width, "verdict");
  table += std::string(text_width + others, '-') + "\n";
  for (const Claim& claim : claims) {
    const std::vector<std::string> lines = wrapped(claim.text, text_width);
    table += fmt::format("{:{}}  {:{}}  {}\n", lines[0], text_width, claim.measured, measured_width,
                         verdict(claim));
    for (std::size_t i = 1; i < lines.size(); ++i) table += lines[i] + "\n";
  }
  return table;
}

void write_claims(const std::vector<Claim>& claims, const std::string& path) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Claim& claim : claims) {
    json.push_back({{"claim", claim.text}, {"measured", claim.measured}, {"holds", claim.holds}});
  }
  write_file(path, json.dump(2) + "\n");
}

}  // namespace cograd
