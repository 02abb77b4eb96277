#include "cograd/experiments/record/coherence_files.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "cograd/engine/file.h"
#include "cograd/experiments/record/csv.h"

namespace cograd {
namespace {

constexpr const char* kGroupCoherenceHeader = "epoch,kind,parameter,coherence";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.6g}", value) : std::string();
}

std::string statistics_cells(const CoherenceEntry& entry) {
  return fmt::format("{},{},{},{}", entry.parameter, cell(entry.group_coherence),
                     cell(entry.statistics.squared_norm), cell(entry.statistics.variance));
}

std::string derived_cells(const GradientStatistics& s, std::int64_t m) {
  return fmt::format("{},{}", cell(s.m_coherence(m)), cell(s.noise_scale()));
}

/// Whether the file is of a run from before alpha was measured.
bool has_group_coherence_alone(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  return content.starts_with(std::string(kGroupCoherenceHeader) + "\n");
}

}  // namespace

std::string coherence_row(std::int64_t epoch, std::int64_t step, const CoherenceEntry& entry,
                          std::int64_t m) {
  return fmt::format("{},{},{},{},{}\n", epoch, step, statistics_cells(entry),
                     cell(entry.statistics.alpha()), derived_cells(entry.statistics, m));
}

std::string example_coherence_row(std::int64_t epoch, const std::string& kind,
                                  const CoherenceEntry& entry, const Interval& alpha,
                                  std::int64_t m) {
  return fmt::format("{},{},{},{},{},{},{}\n", epoch, kind, statistics_cells(entry),
                     cell(alpha.estimate), cell(alpha.low), cell(alpha.high),
                     derived_cells(entry.statistics, m));
}

std::vector<ExampleAlpha> read_example_alphas(const std::filesystem::path& path) {
  const bool old = has_group_coherence_alone(path);
  std::vector<ExampleAlpha> alphas;
  for (CsvRows rows(path, old ? kGroupCoherenceHeader : kExampleCoherenceHeader); rows.next();) {
    const auto number = [&](std::size_t column, double otherwise) {
      return rows.empty(column) ? otherwise : rows.number(column);
    };
    ExampleAlpha& row = alphas.emplace_back(
        ExampleAlpha{rows.integer(0), std::string(rows.text(1)), std::string(rows.text(2)), {}});
    if (old) {
      const Groups groups(kCoherenceBatch, kCoherenceGroups);
      row.alpha = {statistics_of({rows.number(3), 1.0}, groups).alpha(), -kInfinity, kInfinity};
    } else {
      row.alpha = {number(6, std::numeric_limits<double>::quiet_NaN()), number(7, -kInfinity),
                   number(8, kInfinity)};
    }
  }
  return alphas;
}

}  // namespace cograd
