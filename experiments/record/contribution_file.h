// contributions.csv: what pristine and corrupt examples contribute to the steps of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// The contribution of pristine examples, and where 90 % of the null worlds have it, in which
/// chance says who is pristine.
struct Contribution {
  double pristine = 0.0;
  double null_low = 0.0, null_high = 0.0;
};

/// With g the mean gradient of a step's batch, and g_p and g_c the parts of g that pristine and
/// corrupt examples have: f_p = <g, g_p> / <g, g> and f_c = <g, g_c> / <g, g> = 1 - f_p.
/// Chatterjee, "Coherent Gradients", ICLR 2020.
struct ContributionRow {
  std::int64_t epoch = 0, step = 0;
  Contribution f;
  double pristine_share = 0.0;  ///< of the batch's examples
  /// Of f over the steps of the run so far: a measured step stands for those since the last one.
  Contribution integral;
  double corrupt_integral = 0.0;
};

inline constexpr const char* kContributionHeader =
    "epoch,step,f_pristine,f_corrupt,null_low,null_high,pristine_share,integral_pristine,"
    "integral_corrupt,integral_null_low,integral_null_high";
std::string contribution_row(const ContributionRow& row);
/// Throws FormatError or IoError.
std::vector<ContributionRow> read_contributions(const std::filesystem::path& path);

}  // namespace cograd
