#include "cograd/experiments/record/contribution_file.h"

#include <fmt/format.h>

#include "cograd/experiments/record/csv.h"

namespace cograd {

std::string contribution_row(const ContributionRow& row) {
  // Nine digits: f_p + f_c is 1 in the file too.
  return fmt::format("{},{},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g}\n",
                     row.epoch, row.step, row.f.pristine, 1.0 - row.f.pristine, row.f.null_low,
                     row.f.null_high, row.pristine_share, row.integral.pristine,
                     row.corrupt_integral, row.integral.null_low, row.integral.null_high);
}

std::vector<ContributionRow> read_contributions(const std::filesystem::path& path) {
  std::vector<ContributionRow> read;
  for (CsvRows rows(path, kContributionHeader); rows.next();) {
    read.push_back({.epoch = rows.integer(0, 1),
                    .step = rows.integer(1, 1),
                    .f = {rows.number(2), rows.number(4), rows.number(5)},
                    .pristine_share = rows.number(6),
                    .integral = {rows.number(7), rows.number(9), rows.number(10)},
                    .corrupt_integral = rows.number(8)});
  }
  return read;
}

}  // namespace cograd
