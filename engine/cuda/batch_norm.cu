// Batch norm over channels-last x [N, C, H, W], per channel c; n counts the values of a statistic.
//   y = epilogue(gamma xhat + beta),  xhat = (x - mean) / sqrt(var + eps)
// Two passes over memory forward and two backward, all groups in each launch. The second goes
// backwards: what the first read last may still be in the cache.
#include "cograd/engine/cuda/batch_norm.h"
#include "cograd/engine/cuda/batch_norm_gradients.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/layout.h"

namespace cograd {
namespace cuda {
namespace {

/// x - shift and its square, where shift is the channel's first value in the group: E[x^2] - E[x]^2
/// of x itself would cancel when the mean is large.
template <class T, int V>
struct ShiftedMoments {
  const T* x;
  Floats<V> shift{};

  __device__ void begin(const ChannelSweep& sweep, int c) {
    const RowRange rows = sweep.groups.range(blockIdx.z);
    if (rows.size() == 0) return;
    shift = cuda::load<V>(x + rows.begin * sweep.pixels * sweep.channels + c);
  }
  __device__ Pack<T, V> load(std::int64_t i) const { return load_pack<V>(x + i); }
  __device__ void add(std::int64_t, const Pack<T, V>& loaded, Floats<V>& sum,
                      Floats<V>& squares) const {
    for (int j = 0; j < V; ++j) {
      const float d = to_float(loaded.at[j]) - shift.at[j];
      sum.at[j] += d;
      squares.at[j] += d * d;
    }
  }
};

/// mean and variance [K, C] from the sums of ShiftedMoments. Groups without rows get 0.
template <class T>
struct FinishStatistics {
  Groups groups;
  std::int64_t pixels;
  int channels;
  const T* x;
  float *mean, *variance;
  float *running_mean, *running_variance;  // null: not kept
  std::int64_t* batches;                   // null: not counted
  float momentum;

  __device__ void operator()(int g, int c, const double2& sums) const {
    if (batches != nullptr && g == 0 && c == 0) *batches += groups.count();
    const RowRange rows = groups.range(g);
    float m = 0.0f, v = 0.0f;
    if (rows.size() > 0) {
      const auto n = static_cast<double>(rows.size() * pixels);
      const double offset = sums.x / n;
      double spread = sums.y / n - offset * offset;
      spread = spread < 0.0 ? 0.0 : spread;  // a NaN stays one
      m = static_cast<float>(to_float(x[rows.begin * pixels * channels + c]) + offset);
      v = static_cast<float>(spread);
      if (running_mean != nullptr) {
        const auto unbiased = static_cast<float>(spread * n / (n - 1.0));
        running_mean[c] = running_average(running_mean[c], m, momentum);
        running_variance[c] = running_average(running_variance[c], unbiased, momentum);
      }
    }
    mean[std::int64_t{g} * channels + c] = m;
    variance[std::int64_t{g} * channels + c] = v;
  }
};

template <class T, int V>
struct InputAndResidual {
  Pack<T, V> x, residual;
};

template <Epilogue E>
inline constexpr int kAhead = E == Epilogue::add_relu ? 2 : 4;  // pixels: four loads of 16 bytes

/// y = max(z + residual, 0), or what the epilogue leaves of it. `mask`, if not null, gets a byte for
/// each pack of y, whose bit j says that value j is positive.
template <int V, Epilogue E, class T>
__global__ void normalize(ChannelSweep sweep, Affine affine, const T* x, const T* residual, T* y,
                          std::uint8_t* mask) {
  const int c = sweep.channel<V>();
  if (c >= sweep.channels) return;
  Normalization<V> how;
  how.begin(affine, sweep.channels, c);
  const auto load_at = [&](std::int64_t i) {
    InputAndResidual<T, V> loaded{};
    loaded.x = load_pack<V>(x + i);
    if (E == Epilogue::add_relu) loaded.residual = load_pack<V>(residual + i);
    return loaded;
  };
  const auto store_at = [&](std::int64_t i, const InputAndResidual<T, V>& loaded) {
    Floats<V> z;
    unsigned positive = 0;
    for (int j = 0; j < V; ++j) {
      z.at[j] = how.z(j, to_float(loaded.x.at[j]));
      if (E == Epilogue::add_relu) z.at[j] += to_float(loaded.residual.at[j]);
      if (E != Epilogue::none) z.at[j] = z.at[j] < 0.0f ? 0.0f : z.at[j];
      positive |= (z.at[j] > 0.0f ? 1u : 0u) << j;
    }
    store(y + i, z);
    if (E == Epilogue::add_relu && mask != nullptr) {
      mask[i / V] = static_cast<std::uint8_t>(positive);
    }
  };
  sweep.for_each_pixel<V, kAhead<E>>(load_at, store_at);
}

template <class Use>
void with_epilogue(Epilogue epilogue, const Use& use) {
  switch (epilogue) {
    case Epilogue::none:
      return use(std::integral_constant<Epilogue, Epilogue::none>{});
    case Epilogue::relu:
      return use(std::integral_constant<Epilogue, Epilogue::relu>{});
    case Epilogue::add_relu:
      return use(std::integral_constant<Epilogue, Epilogue::add_relu>{});
  }
}

/// x is input.x, channels-last; `mask`, if not null, becomes that of normalize().
Tensor normalized(const BatchNormInput& input, const Tensor& x, const Groups& groups,
                  const BatchStatistics& statistics, Tensor* mask) {
  Tensor y = empty_image(x.shape(), x.dtype(), x.backend());
  const bool adds = input.epilogue == Epilogue::add_relu;
  const Tensor residual = adds ? channels_last(input.residual) : Tensor();
  dispatch_pack("batch_norm", x.dtype(), x.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    Tensor bits;
    if (adds && mask != nullptr) {
      bits = *mask = Tensor::empty({x.numel() / V}, Dtype::u8, x.backend());
    }
    with_epilogue(input.epilogue, [&](auto epilogue) {
      constexpr Epilogue E = decltype(epilogue)::value;
      const auto kernel = normalize<V, E, T>;
      const ChannelSweep sweep(groups, x.size(2) * x.size(3), x.size(1), V, kAhead<E>,
                               resident_blocks(kernel));
      launch(Traffic{"batch_norm normalize"}.reads(x, residual).writes(y, bits), kernel,
             sweep.blocks, sweep.threads, sweep.reversed(),
             Affine(statistics, input.gamma, input.beta, groups.count()), elements<const T>(x),
             adds ? elements<const T>(residual) : nullptr, elements<T>(y),
             bits.defined() ? elements<std::uint8_t>(bits) : nullptr);
    });
  });
  return y;
}

/// The tensors of one backward pass, channels-last.
struct Tensors {
  Tensor x, dy, y, bits, dz, dx;
  Mask mask = Mask::none;

  explicit Tensors(const BatchNormBackward& in) : x(channels_last(in.x)), dy(channels_last(in.dy)) {
    const bool reuse = in.in_place || dy.layout() != in.dy.layout();
    const bool adds = in.epilogue == Epilogue::add_relu;
    const auto fresh = [&] { return empty_image(x.shape(), x.dtype(), x.backend()); };
    dz = adds && !reuse ? fresh() : dy;
    dx = adds || !reuse ? fresh() : dy;
    if (in.epilogue == Epilogue::relu) mask = Mask::from_x;
    if (!adds) return;
    mask = in.mask.defined() ? Mask::from_bits : Mask::from_y;
    if (in.mask.defined()) {
      bits = in.mask;
    } else {
      y = channels_last(in.y);
    }
  }
};

template <class T, int V, Mask M>
void gradient_sums(const BatchNormBackward& in, const Tensors& t, const Affine& affine,
                   const FinishGradients& finish, Traffic traffic) {
  constexpr bool kWrites = M == Mask::from_y || M == Mask::from_bits;
  GradientTerms<T, V, M> terms{affine,
                               elements<const T>(t.x),
                               elements<const T>(t.dy),
                               M == Mask::from_y ? elements<const T>(t.y) : nullptr,
                               M == Mask::from_bits ? elements<std::uint8_t>(t.bits) : nullptr,
                               kWrites ? elements<T>(t.dz) : nullptr};
  sum_channels<V, kGradientsAhead>(
      traffic.reads(t.x, t.dy, t.y, t.bits).writes(kWrites ? t.dz : Tensor()), in.groups,
      finish.pixels, finish.channels, terms, finish, t.x.backend());
}

template <class T, int V, bool kMaskFromX>
void input_gradients(const BatchNormBackward& in, const Tensors& t, const Affine& affine,
                     const Tensor& means) {
  const auto kernel = input_gradient<V, kMaskFromX, T>;
  const ChannelSweep sweep(in.groups, t.x.size(2) * t.x.size(3), t.x.size(1), V, kGradientsAhead,
                           resident_blocks(kernel));
  launch(Traffic{"batch_norm backward"}.reads(t.x, t.dz, means).writes(t.dx), kernel, sweep.blocks,
         sweep.threads, sweep.reversed(), affine, elements<const float2>(means),
         elements<const T>(t.x), elements<const T>(t.dz), elements<T>(t.dx));
}

BatchNormGradient backward(const BatchNormBackward& in, const ParameterGradients& to,
                           const Traffic& traffic) {
  const Tensors t(in);
  const std::int64_t channels = t.x.size(1);
  const Affine affine(in.statistics, in.gamma, in.beta, in.groups.count());
  const Tensor means = Tensor::empty({in.statistics.mean.numel(), 2}, Dtype::f32, t.x.backend());
  const FinishGradients finish{affine,
                               in.groups,
                               t.x.size(2) * t.x.size(3),
                               static_cast<int>(channels),
                               in.statistics.constant,
                               to,
                               elements<float2>(means),
                               {0.0, 0.0}};
  dispatch_pack("batch_norm", t.x.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const Traffic sums = traffic.writes(means);
    switch (t.mask) {
      case Mask::none:
        gradient_sums<T, V, Mask::none>(in, t, affine, finish, sums);
        break;
      case Mask::from_x:
        gradient_sums<T, V, Mask::from_x>(in, t, affine, finish, sums);
        return input_gradients<T, V, true>(in, t, affine, means);
      case Mask::from_y:
        gradient_sums<T, V, Mask::from_y>(in, t, affine, finish, sums);
        break;
      case Mask::from_bits:
        gradient_sums<T, V, Mask::from_bits>(in, t, affine, finish, sums);
        break;
    }
    input_gradients<T, V, false>(in, t, affine, means);
  });
  return {t.dx, in.epilogue == Epilogue::add_relu ? t.dz : Tensor()};
}

}  // namespace

unsigned* tickets(std::int64_t tiles, Backend& backend) {
  constexpr std::int64_t kMost = 4096;  // of 32 channels or more
  require<ShapeError>(tiles <= kMost,
                      "[cuda] sums over too many channels: {} tiles, expected up to {}", tiles,
                      kMost);
  // Never destroyed: the backend is not, either.
  static auto& counters = *new Tensor(Tensor::zeros({kMost}, Dtype::i32, backend));
  return elements<unsigned>(counters);
}

}  // namespace cuda

using namespace cuda;

BatchNormResult CudaBackend::batch_norm(const BatchNormInput& input, const Groups& groups,
                                        double eps, RunningStatistics& running) {
  const Tensor x = channels_last(input.x);
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  BatchStatistics statistics{Tensor::empty({groups.count(), channels}, Dtype::f32, *this),
                             Tensor::empty({groups.count(), channels}, Dtype::f32, *this), eps};
  dispatch_pack("batch_norm", x.dtype(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const bool keep = running.mean.defined();
    const FinishStatistics<T> finish{
        groups,
        pixels,
        static_cast<int>(channels),
        elements<const T>(x),
        elements<float>(statistics.mean),
        elements<float>(statistics.variance),
        keep ? elements<float>(running.mean) : nullptr,
        keep ? elements<float>(running.variance) : nullptr,
        running.batches.defined() ? elements<std::int64_t>(running.batches) : nullptr,
        static_cast<float>(running.momentum)};
    const auto traffic = Traffic{"batch_norm sums"}
                             .reads(x, running.mean, running.variance, running.batches)
                             .writes(statistics.mean, statistics.variance, running.mean,
                                     running.variance, running.batches);
    sum_channels<V, 4>(traffic, groups, pixels, channels,
                       ShiftedMoments<T, V>{elements<const T>(x)}, finish, *this);
  });
  BatchNormResult result;
  result.y = normalized(input, x, groups, statistics, &result.mask);
  result.statistics = std::move(statistics);
  return result;
}

Tensor CudaBackend::batch_norm_inference(const BatchNormInput& input,
                                         const BatchStatistics& statistics) {
  return normalized(input, channels_last(input.x), Groups(input.x.size(0), 1), statistics, nullptr);
}

BatchNormGradient CudaBackend::batch_norm_backward(const BatchNormBackward& in,
                                                   GroupGradients dgamma, GroupGradients dbeta) {
  const bool add_gamma = dgamma.write == Write::accumulate;
  const bool add_beta = dbeta.write == Write::accumulate;
  return backward(
      in,
      {elements<float>(dgamma.values),
       elements<float>(dbeta.values),
       add_gamma,
       add_beta,
       nullptr,
       nullptr,
       {}},
      Traffic{"batch_norm backward sums"}
          .reads(add_gamma ? dgamma.values : Tensor(), add_beta ? dbeta.values : Tensor())
          .writes(dgamma.values, dbeta.values));
}

// A thread ranks the values of all groups, each against all others: for few of them.
bool CudaBackend::batch_norm_reduced_backward(const BatchNormBackward& in,
                                              const Reduction& reduction, Tensor& dgamma,
                                              Tensor& dbeta, BatchNormGradient& gradient) {
  constexpr std::int64_t kMostGroups = 16;
  const std::int64_t k = in.groups.count();
  if (reduction.rule != nullptr || k > kMostGroups) return false;
  const Tensor groups = Tensor::empty({2, k, in.x.size(1)}, Dtype::f32, *this);
  gradient = backward(in,
                      {elements<float>(groups[0]), elements<float>(groups[1]), false, false,
                       elements<float>(dgamma), elements<float>(dbeta), ordered_sum(reduction, k)},
                      Traffic{"batch_norm backward sums"}.writes(groups, dgamma, dbeta));
  return true;
}

}  // namespace cograd
