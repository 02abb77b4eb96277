// Estimates a study's time and memory from a few measured steps.
#pragma once

#include <cstdint>
#include <string>

#include "cograd/experiments/study/study.h"

namespace cograd {

struct CostEstimate {
  std::int64_t images = 0;     ///< training and test examples
  std::int64_t runs = 0;       ///< runs that are not over
  std::int64_t steps = 0;      ///< steps of these runs
  std::size_t peak_bytes = 0;  ///< device memory of the largest step
  double step_seconds = 0.0;   ///< mean over all steps
  double seconds = 0.0;        ///< training time, without evaluation
};

/// Estimates from Study::step_costs.
CostEstimate estimate_cost(const Study& study);

/// The estimate in lines of at most `width` columns, 20 at least.
std::string estimate_text(const CostEstimate& cost, std::size_t width = 100);

}  // namespace cograd
