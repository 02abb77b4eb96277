// What the aggregation kernels must compute for one coordinate, as the formulas say it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cograd/engine/aggregation/reduction.h"

namespace cograd::testing {

/// One value of the K of a coordinate.
using Definition = std::function<double(std::vector<double> values)>;

/// Median, trimmed mean and winsorized mean of the sorted values.
Definition definition_of(const Reduction& reduction);
/// Mean of the K - outliers values nearest to the median.
Definition mean_around_median(std::int64_t outliers);
/// The mean where | sum_k sign x_k | >= agreement K, else 0.
Definition and_mask(double agreement);
Definition sign_majority();
/// Five steps of Huber's weighted mean from the median, as engine/aggregation/coordinate has it.
Definition huber_mean();

}  // namespace cograd::testing
