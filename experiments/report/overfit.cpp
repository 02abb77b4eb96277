#include "cograd/experiments/report/overfit.h"

#include <limits>

namespace cograd {
namespace {

/// The share of training examples with a true label. Of uniform random labels one in C is true.
double true_share(const RunSettings& settings, double classes) {
  const double fraction = settings.corrupt_fraction;
  return 1.0 -
         (settings.noise == RunSettings().noise ? fraction * (classes - 1.0) / classes : fraction);
}

}  // namespace

Quantity adjusted_overfit(const RunRecord& run) {
  if (run.classes < 2) {
    return [](const EpochRecord&) { return std::numeric_limits<double>::quiet_NaN(); };
  }
  const auto classes = static_cast<double>(run.classes);
  return [classes, share = true_share(run.settings, classes)](const EpochRecord& e) {
    const double test = e.test.acc1;
    return e.train_sample.acc1 - (share * test + (1.0 - share) * (100.0 - test) / (classes - 1.0));
  };
}

}  // namespace cograd
