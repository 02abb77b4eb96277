// The optimizer's step over all parameters in one launch: rolling window, weight decay, momentum
// and update in one pass over memory.
//   d = g + weight_decay p;  rolling: window[slot] = d, d = reduction over the window
//   SGD:  v = momentum v + d;  p -= learning_rate (nesterov ? d + momentum v : v)
//   Adam: m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2;
//         p = shrink p - rate m / (sqrt(v) root + eps)
#include <cmath>

#include "cograd/engine/aggregation/order_statistics.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"

namespace cograd {
namespace cuda {
namespace {

constexpr int kParameters = 256;       // of one launch: their list travels as a kernel argument
constexpr std::int64_t kChunk = 4096;  // elements of one block

/// `v` is the velocity or Adam's first moment, `window` the rolling window or the second moment.
struct UpdateList {
  float *p[kParameters], *v[kParameters], *window[kParameters];
  const float* g[kParameters];
  std::int64_t n[kParameters];
  int first_block[kParameters + 1];  ///< of each parameter, and their number
  int count = 0;

  void add(const Tensor& parameter, const Tensor& gradient, const Tensor& velocity,
           const Tensor& slots) {
    p[count] = elements<float>(parameter);
    g[count] = elements<float>(gradient);
    v[count] = velocity.defined() ? elements<float>(velocity) : nullptr;
    window[count] = slots.defined() ? elements<float>(slots) : nullptr;
    n[count] = parameter.numel();
    if (count == 0) first_block[0] = 0;
    first_block[count + 1] =
        first_block[count] + static_cast<int>((n[count] + kChunk - 1) / kChunk);
    ++count;
  }
  __device__ int parameter_of(int block) const {
    int low = 0, high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (first_block[middle] <= block ? low : high) = middle;
    }
    return low;
  }
};

struct Step {
  float rate, momentum, decay;
  bool nesterov;
  int slot;
  bool full;

  explicit Step(const SgdCoefficients& c, int newest = 0, bool window_full = true)
      : rate(static_cast<float>(c.learning_rate)),
        momentum(static_cast<float>(c.momentum)),
        decay(static_cast<float>(c.weight_decay)),
        nesterov(c.nesterov),
        slot(newest),
        full(window_full) {}
};

enum class OverWindow { none, median, mean };

template <OverWindow R, int W>
__device__ float over_window(float (&d)[W]) {
  if constexpr (R == OverWindow::median) return median(d);
  if constexpr (R == OverWindow::mean) return trimmed_mean<0>(d);
  return d[0];
}

/// Elements i .. i + V - 1 of one parameter.
template <OverWindow R, int W, int V>
__device__ void update_pack(const UpdateList& list, int which, std::int64_t i, const Step& step) {
  using Values = Pack<float, V>;
  Values p = load_pack<V>(list.p[which] + i), d = load_pack<V>(list.g[which] + i);
  for (int j = 0; j < V; ++j) d.at[j] += step.decay * p.at[j];
  if constexpr (R != OverWindow::none) {
    float* window = list.window[which];
    store_pack(window + step.slot * list.n[which] + i, d);
    if (!step.full) return;
    Values slots[W];
#pragma unroll
    for (int w = 0; w < W; ++w) {
      slots[w] = w == step.slot ? d : load_pack<V>(window + w * list.n[which] + i);
    }
    for (int j = 0; j < V; ++j) {
      float values[W];
#pragma unroll
      for (int w = 0; w < W; ++w) values[w] = slots[w].at[j];
      d.at[j] = over_window<R>(values);
    }
  }
  if (list.v[which] != nullptr) {
    Values v = load_pack<V>(list.v[which] + i);
    for (int j = 0; j < V; ++j) {
      v.at[j] = step.momentum * v.at[j] + d.at[j];
      d.at[j] = step.nesterov ? d.at[j] + step.momentum * v.at[j] : v.at[j];
    }
    store_pack(list.v[which] + i, v);
  }
  for (int j = 0; j < V; ++j) p.at[j] -= step.rate * d.at[j];
  store_pack(list.p[which] + i, p);
}

/// body(constant V, which, i) for the elements of a block's chunk, V at a time from i on. Arrays of
/// a parameter may be read in packs if the slots of its window, n elements apart, can be.
template <class Body>
__device__ void for_each_pack(const UpdateList& list, bool slots, const Body& body) {
  const int which = list.parameter_of(static_cast<int>(blockIdx.x));
  const std::int64_t n = list.n[which];
  const std::int64_t begin = (static_cast<int>(blockIdx.x) - list.first_block[which]) * kChunk;
  const std::int64_t end = begin + kChunk < n ? begin + kChunk : n;
  const auto whole = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; };
  const bool packs = whole(list.p[which]) && whole(list.g[which]) && whole(list.v[which]) &&
                     whole(list.window[which]) && (!slots || n % 4 == 0);
  const std::int64_t packed = packs ? begin + (end - begin) / 4 * 4 : begin;
  for (std::int64_t i = begin + 4 * threadIdx.x; i < packed; i += 4 * blockDim.x) {
    body(std::integral_constant<int, 4>{}, which, i);
  }
  for (std::int64_t i = packed + threadIdx.x; i < end; i += blockDim.x) {
    body(std::integral_constant<int, 1>{}, which, i);
  }
}

template <OverWindow R, int W>
__global__ void update_kernel(const __grid_constant__ UpdateList list, Step step) {
  for_each_pack(list, R != OverWindow::none, [&](auto width, int which, std::int64_t i) {
    update_pack<R, W, decltype(width)::value>(list, which, i, step);
  });
}

struct AdamStep {
  double learning_rate, log_beta1, log_beta2;  // for the corrections, which need t
  float beta1, rest1, beta2, rest2, eps, decay, shrink;

  explicit AdamStep(const AdamCoefficients& c)
      : learning_rate(c.learning_rate),
        log_beta1(std::log(c.beta1)),
        log_beta2(std::log(c.beta2)),
        beta1(static_cast<float>(c.beta1)),
        rest1(static_cast<float>(1.0 - c.beta1)),
        beta2(static_cast<float>(c.beta2)),
        rest2(static_cast<float>(1.0 - c.beta2)),
        eps(static_cast<float>(c.eps)),
        decay(static_cast<float>(c.decoupled ? 0.0 : c.weight_decay)),
        shrink(static_cast<float>(c.decoupled ? 1.0 - c.learning_rate * c.weight_decay : 1.0)) {}
};

/// Elements i .. i + V - 1 of one parameter.
template <int V>
__device__ void adam_pack(const UpdateList& list, int which, std::int64_t i, const AdamStep& step,
                          float rate, float root) {
  using Values = Pack<float, V>;
  Values p = load_pack<V>(list.p[which] + i), m = load_pack<V>(list.v[which] + i),
         v = load_pack<V>(list.window[which] + i);
  const Values g = load_pack<V>(list.g[which] + i);
  for (int j = 0; j < V; ++j) {
    const float d = g.at[j] + step.decay * p.at[j];
    m.at[j] = step.beta1 * m.at[j] + step.rest1 * d;
    v.at[j] = step.beta2 * v.at[j] + step.rest2 * (d * d);
    p.at[j] = step.shrink * p.at[j] - rate * (m.at[j] / (sqrtf(v.at[j]) * root + step.eps));
  }
  store_pack(list.p[which] + i, p);
  store_pack(list.v[which] + i, m);
  store_pack(list.window[which] + i, v);
}

__global__ void adam_kernel(const __grid_constant__ UpdateList list, AdamStep step,
                            const std::int64_t* count) {
  __shared__ float shared_rate, shared_root;
  if (threadIdx.x == 0) {  // in double: one thread's work
    shared_rate = static_cast<float>(step.learning_rate / bias_correction(step.log_beta1, *count));
    shared_root = static_cast<float>(1.0 / sqrt(bias_correction(step.log_beta2, *count)));
  }
  __syncthreads();
  const float rate = shared_rate, root = shared_root;
  for_each_pack(list, false, [&](auto width, int which, std::int64_t i) {
    adam_pack<decltype(width)::value>(list, which, i, step, rate, root);
  });
}

void check_dtype(const Tensor& p, const char* optimizer) {
  require<DtypeError>(p.dtype() == Dtype::f32, "[{}] parameters must be f32, not {}", optimizer,
                      name_of(p.dtype()));
}

/// launch_list(list, blocks, traffic) for lists that hold all updates together, each added by
/// add(list, traffic, update).
template <class Update, class Add, class Launch>
void for_each_list(const char* name, std::span<Update> updates, const Add& add,
                   const Launch& launch_list) {
  for (std::size_t first = 0; first < updates.size(); first += kParameters) {
    UpdateList list;
    Traffic traffic{name};
    for (const Update& u :
         updates.subspan(first, std::min<std::size_t>(kParameters, updates.size() - first))) {
      add(list, traffic, u);
    }
    launch_list(list, static_cast<unsigned>(list.first_block[list.count]), traffic);
  }
}

template <OverWindow R, int W>
void update_all(std::span<ParameterUpdate> updates, const Step& step) {
  for_each_list(
      "sgd", updates,
      [&](UpdateList& list, Traffic& traffic, const ParameterUpdate& u) {
        check_dtype(u.p, "sgd");
        list.add(u.p, u.g, u.velocity, u.window);
        traffic = traffic.reads(u.p, u.g);
        if (R != OverWindow::none) {
          traffic = traffic.reads(step.full ? (W - 1) * u.p.bytes() : 0).writes(u.p.bytes());
        }
        if (step.full) traffic = traffic.reads(u.velocity).writes(u.p, u.velocity);
      },
      [&](const UpdateList& list, unsigned blocks, const Traffic& traffic) {
        launch(traffic, update_kernel<R, W>, blocks, kThreads, list, step);
      });
}

template <int W>
void rolling_all(std::span<ParameterUpdate> updates, const Step& step, const Reduction& reduction) {
  if (reduction.kind == Reduction::Kind::median) {
    update_all<OverWindow::median, W>(updates, step);
  } else {
    update_all<OverWindow::mean, W>(updates, step);
  }
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaBackend::sgd_update(std::span<ParameterUpdate> updates,
                             const SgdCoefficients& coefficients) {
  update_all<OverWindow::none, 1>(updates, Step(coefficients));
}

void CudaBackend::rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                                 const Reduction& reduction, const SgdCoefficients& coefficients) {
  if (updates.empty()) return;
  require<ValueError>(
      reduction.kind == Reduction::Kind::median || reduction.kind == Reduction::Kind::mean,
      "[sgd] windows are reduced by median or mean");
  const Step step(coefficients, static_cast<int>(slot), full);
  switch (updates.front().window.size(0)) {
    case 2:
      return rolling_all<2>(updates, step, reduction);
    case 3:
      return rolling_all<3>(updates, step, reduction);
    case 5:
      return rolling_all<5>(updates, step, reduction);
    case 7:
      return rolling_all<7>(updates, step, reduction);
    default:
      throw ValueError(
          fmt::format("[sgd] a window of {} steps has no cuda kernel: expected 2, 3, 5 "
                      "or 7",
                      updates.front().window.size(0)));
  }
}

void CudaBackend::adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                              const AdamCoefficients& coefficients) {
  const AdamStep step(coefficients);
  for_each_list(
      "adam", updates,
      [](UpdateList& list, Traffic& traffic, const AdamUpdate& u) {
        check_dtype(u.p, "adam");
        traffic = traffic.reads(u.p, u.g, u.first_moment, u.second_moment)
                      .writes(u.p, u.first_moment, u.second_moment);
        list.add(u.p, u.g, u.first_moment, u.second_moment);
      },
      [&](const UpdateList& list, unsigned blocks, const Traffic& traffic) {
        launch(traffic, adam_kernel, blocks, kThreads, list, step,
               elements<const std::int64_t>(count));
      });
}

}  // namespace cograd
