// Softmax cross-entropy of logits [N, C]; p = softmax(logits), t = (1 - e) one-hot + e / C.
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"

namespace cograd {
namespace cuda {
namespace {

constexpr int kRows = kThreads / kWarp;  // of a block: one warp each

/// A logit of minus infinity that has no weight adds nothing.
__device__ float weighted(float weight, float log_odds) {
  return weight == 0.0f ? 0.0f : weight * log_odds;
}

// log p = z - max z - log sum exp(z - max z); sum over c of t z is (1 - e) z[label] + e mean(z)
__global__ void softmax_rows(std::int64_t rows, int classes, const float* logits,
                             const std::int64_t* labels, float smoothing, float* probabilities,
                             float* losses) {
  const std::int64_t n = std::int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  if (n >= rows) return;
  const float* z = logits + n * classes;
  float* p = probabilities + n * classes;
  float top = -INFINITY, sum = 0.0f, total = 0.0f;
  for (int c = lane; c < classes; c += kWarp) top = fmaxf(top, z[c]);
  top = warp_max(top);  // keeps exp() from overflowing
  for (int c = lane; c < classes; c += kWarp) {
    p[c] = expf(z[c] - top);
    sum += p[c];
    total += z[c] - top;
  }
  sum = warp_sum(sum);
  total = warp_sum(total);
  for (int c = lane; c < classes; c += kWarp) p[c] /= sum;
  if (lane == 0) {
    const std::int64_t label = labels[n];
    const bool known = label >= 0 && label < classes;  // the host has not looked at it
    const float hot = known ? z[label] - top : NAN, mean = total / static_cast<float>(classes);
    losses[n] = isinf(top)  // there is no softmax: the probabilities are NaN
                    ? INFINITY
                    : logf(sum) - weighted(1.0f - smoothing, hot) - weighted(smoothing, mean);
  }
}

/// dlogits = (p - t) dloss[g] / B_g
__global__ void logit_gradients(Groups groups, int classes, const float* probabilities,
                                const std::int64_t* labels, float smoothing, const float* dloss,
                                float* dlogits) {
  const std::int64_t values = groups.rows() * classes;
  for (std::int64_t i = thread_index(); i < values; i += thread_count()) {
    const std::int64_t n = i / classes, g = groups.group_of(n);
    const float hot = i % classes == labels[n] ? 1.0f - smoothing : 0.0f;
    const float target = hot + smoothing / static_cast<float>(classes);
    dlogits[i] = (probabilities[i] - target) * dloss[g] / static_cast<float>(groups.size(g));
  }
}

/// loss[g] = sum of the losses of the rows of g / B_g; one warp per group.
__global__ void group_losses(Groups groups, const float* losses, float* loss) {
  const std::int64_t g = blockIdx.x;
  double sum = 0.0;
  const RowRange rows = groups.range(g);
  for (std::int64_t n = rows.begin + threadIdx.x; n < rows.end; n += kWarp) sum += losses[n];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) loss[g] = static_cast<float>(sum / static_cast<double>(groups.size(g)));
}

}  // namespace
}  // namespace cuda

using namespace cuda;

CrossEntropyResult CudaBackend::cross_entropy(const Tensor& logits, const Tensor& labels,
                                              double smoothing, const Groups& groups) {
  require<DtypeError>(logits.dtype() == Dtype::f32, "[cross_entropy] logits must be f32, not {}",
                      name_of(logits.dtype()));
  const std::int64_t rows = logits.size(0);
  CrossEntropyResult result{Tensor::empty({groups.count()}, Dtype::f32, *this),
                            Tensor::empty(logits.shape(), Dtype::f32, *this)};
  const Tensor losses = Tensor::empty({rows}, Dtype::f32, *this);
  launch(Traffic{"softmax"}.reads(logits, labels).writes(result.probabilities, losses),
         softmax_rows, static_cast<unsigned>((rows + kRows - 1) / kRows), kThreads, rows,
         static_cast<int>(logits.size(1)), elements<float>(logits), elements<std::int64_t>(labels),
         static_cast<float>(smoothing), elements<float>(result.probabilities),
         elements<float>(losses));
  launch(Traffic{"group losses"}.reads(losses).writes(result.loss), group_losses,
         static_cast<unsigned>(groups.count()), kWarp, groups, elements<float>(losses),
         elements<float>(result.loss));
  return result;
}

Tensor CudaBackend::cross_entropy_backward(const Tensor& probabilities, const Tensor& labels,
                                           double smoothing, const Groups& groups,
                                           const Tensor& dloss) {
  Tensor dlogits = Tensor::empty(probabilities.shape(), Dtype::f32, *this);
  launch(Traffic{"logit gradients"}.reads(probabilities, labels, dloss).writes(dlogits),
         logit_gradients, blocks_for(dlogits.numel()), kThreads, groups,
         static_cast<int>(probabilities.size(1)), elements<float>(probabilities),
         elements<std::int64_t>(labels), static_cast<float>(smoothing), elements<float>(dloss),
         elements<float>(dlogits));
  return dlogits;
}

}  // namespace cograd
