#include "cograd/experiments/record/difficulty.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "cograd/engine/file.h"
#include "cograd/experiments/record/csv.h"

namespace cograd {
namespace {

constexpr const char* kHeader =
    "index,label,true_label,first_learned,learned_since,last_forgotten,forgetting_events,el2n,"
    "gradient_norm,aum";
constexpr const char* kHeaderBeforeAum =
    "index,label,true_label,first_learned,learned_since,last_forgotten,forgetting_events,el2n,"
    "gradient_norm";

std::string text_of(const std::optional<std::int64_t>& step) {
  return step ? std::to_string(*step) : std::string();
}

std::string score_text(double score) {
  return std::isfinite(score) ? fmt::format("{:.6g}", score) : std::string();
}

}  // namespace

void write_difficulty(const std::filesystem::path& path,
                      const std::vector<ExampleDifficulty>& examples) {
  std::string text = std::string(kHeader) + "\n";
  for (const ExampleDifficulty& e : examples) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", e.index, e.label, e.true_label,
                        text_of(e.first_learned), text_of(e.learned_since),
                        text_of(e.last_forgotten), e.forgetting_events, score_text(e.el2n),
                        score_text(e.gradient_norm), score_text(e.aum));
  }
  write_file(path, text);
}

std::vector<ExampleDifficulty> read_difficulty(const std::filesystem::path& path) {
  const bool old = read_file(path).starts_with(std::string(kHeaderBeforeAum) + "\n");
  std::vector<ExampleDifficulty> examples;
  for (CsvRows rows(path, old ? kHeaderBeforeAum : kHeader); rows.next();) {
    const auto step = [&](std::size_t column) {
      return rows.empty(column) ? std::nullopt : std::optional(rows.integer(column));
    };
    const auto score = [&](std::size_t column) {
      return rows.empty(column) ? std::numeric_limits<double>::quiet_NaN() : rows.number(column);
    };
    examples.push_back({rows.integer(0), rows.integer(1), rows.integer(2), step(3), step(4),
                        step(5), rows.integer(6), score(7), score(8),
                        old ? std::numeric_limits<double>::quiet_NaN() : score(9)});
  }
  return examples;
}

}  // namespace cograd
