// The claims about memorization: the share of corrupt labels that each run fits.
#pragma once

#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"

namespace cograd {

/// Every robust aggregator against the mean at the size of its groups, as the released code runs
/// (Zielinski, Krishnan, Chatterjee, arXiv 2003.07422, section 2), and at the same batch size; and
/// controls. Where several learning rates ran, both have the same one, and the rate counts at which
/// the aggregator fares worst. Runs without such a partner make no claim. The paper's come first.
std::vector<Claim> memorization_claims(const std::vector<RunRecord>& runs);

/// What was found, in one or two sentences: at the noise level nearest to half of the labels, how
/// much of the corrupt ones each robust aggregator and its mean fit; then summary_of(claims).
std::string memorization_answer(const std::vector<RunRecord>& runs,
                                const std::vector<Claim>& claims);

}  // namespace cograd
