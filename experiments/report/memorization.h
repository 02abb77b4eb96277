// The claims about memorization: the share of corrupt labels that each run fits.
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"

namespace cograd {

/// Every robust aggregator against the mean at the same batch size and noise: in the end, when
/// the mean is stopped early, and against the mean at the size of its groups; and RA3 as the
/// control. Runs without such a partner make no claim.
std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs);

}  // namespace cograd
