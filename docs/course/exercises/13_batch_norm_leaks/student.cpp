#include <cmath>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_check.h"
#include "cograd/engine/ops/ops.h"

using namespace cograd;

/// || d (a loss of group 0) / d (rows of groups 1 and 2) ||
double leak(const Tensor& x, Statistics statistics) {
  const Groups groups(x.size(0), 3);
  return static_cast<double>(groups.count());  // yours
}
