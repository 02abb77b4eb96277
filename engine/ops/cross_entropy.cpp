// loss_g = - 1/B_g sum over n in g, c of t[n, c] log p[n, c]
//   p = softmax(logits), t = (1 - e) one-hot(label) + e / C
//   dlogits[n, c] = (p[n, c] - t[n, c]) dloss_g / B_g
#include "cograd/engine/ops/checks.h"
#include "cograd/engine/ops/ops.h"

namespace cograd {
namespace {

void check(const Variable& logits, const Tensor& labels, double smoothing) {
  require_rank("cross_entropy", logits, 2, "[N, C]");
  require<DtypeError>(labels.dtype() == Dtype::i64, "[cross_entropy] labels must be i64, not {}",
                      name_of(labels.dtype()));
  require<ShapeError>(labels.shape() == Shape{logits.shape()[0]},
                      "[cross_entropy] labels must be [{}], not {}, for logits of {}",
                      logits.shape()[0], labels.shape(), logits.shape());
  require<DeviceError>(&labels.backend() == &logits.backend(),
                       "[cross_entropy] labels are on {}, but the logits are on {}",
                       labels.backend().name(), logits.backend().name());
  require<ValueError>(smoothing >= 0.0 && smoothing <= 1.0,
                      "[cross_entropy] label smoothing must be in [0, 1], not {}", smoothing);
  if (labels.backend().device().type != DeviceType::cpu) return;  // not worth a round trip
  const std::int64_t classes = logits.shape()[1];
  const std::int64_t* label = labels.data<std::int64_t>();
  for (std::int64_t n = 0; n < labels.numel(); ++n) {
    require<ValueError>(label[n] >= 0 && label[n] < classes,
                        "[cross_entropy] label {} of row {} is not one of {} classes", label[n], n,
                        classes);
  }
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& labels, double smoothing) {
  check(logits, labels, smoothing);
  CrossEntropyResult r =
      logits.backend().cross_entropy(logits.value(), labels, smoothing, logits.groups());
  return record("cross_entropy", std::move(r.loss), {logits}, {},
                [p = r.probabilities, labels, smoothing, groups = logits.groups()](
                    const Tensor& dloss, Backward& backward) {
                  backward.input_gradient(
                      0, p.backend().cross_entropy_backward(p, labels, smoothing, groups, dloss));
                });
}

}  // namespace cograd
