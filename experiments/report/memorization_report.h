// The report of runs that differ in aggregator and noise.
#pragma once

#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// Figures and tables of `runs`; title, lead, claims, gallery, facts and name of the data set are
/// the caller's.
Report memorization_report(const std::vector<RunRecord>& runs);

}  // namespace cograd
