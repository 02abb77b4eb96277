#include "cograd/experiments/report/overfit.h"

#include <limits>

namespace cograd {
namespace {

/// The share of training examples with a true label. Samples of either kind are counted up to
/// 50,000, so counts are used only where the settings do not tell.
double true_share(const EpochRecord& e, double fraction, double classes) {
  if (fraction > 0.0) return 1.0 - fraction * (classes - 1.0) / classes;
  const auto pristine = static_cast<double>(e.pristine.count);
  const auto corrupt = static_cast<double>(e.corrupt.count);
  return pristine + corrupt > 0.0 ? pristine / (pristine + corrupt) : 1.0;
}

}  // namespace

Quantity adjusted_overfit(const RunRecord& run) {
  if (run.classes < 2) {
    return [](const EpochRecord&) { return std::numeric_limits<double>::quiet_NaN(); };
  }
  return [fraction = run.settings.corrupt_fraction,
          classes = static_cast<double>(run.classes)](const EpochRecord& e) {
    const double share = true_share(e, fraction, classes), test = e.test.acc1;
    return e.train_sample.acc1 - (share * test + (1.0 - share) * (100.0 - test) / (classes - 1.0));
  };
}

}  // namespace cograd
