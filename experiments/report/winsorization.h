// The claims about winsorization: does clipping per-example gradients suppress memorization?
#pragma once

#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"

namespace cograd {

/// Winsorization against its strength c (the mean is c = 0), at each batch size and noise: does
/// memorization fall and the gap close as c grows, and does the mean learn pristine examples first?
std::vector<Claim> winsorization_claims(const std::vector<RunRecord>& runs);

}  // namespace cograd
