// Kernels that treat elements one by one.
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/cuda/map.h"
#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/random.h"

namespace cograd {
namespace {

using namespace cuda;

/// Through double, in which every i32, f32 and bf16 is exact.
template <class To, class From>
__device__ To converted(From x) {
  if constexpr (sizeof(From) == 2) {
    return converted<To>(__bfloat162float(x));
  } else if constexpr (sizeof(To) == 2) {
    return __float2bfloat16_rn(static_cast<float>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class T>
__global__ void fill_kernel(std::int64_t n, T* x, double value, bool accumulate) {
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) {
    x[i] = converted<T>(accumulate ? converted<double>(x[i]) + value : value);
  }
}

template <class From, class To>
__global__ void cast_kernel(std::int64_t n, const From* x, To* y) {
  for (std::int64_t i = thread_index(); i < n; i += thread_count()) y[i] = converted<To>(x[i]);
}

/// Up to 16 channels: the scale is a kernel argument.
struct ChannelScale {
  static constexpr int kChannels = 16;
  float mean[kChannels], deviation[kChannels];
};

/// A thread takes a pixel: its channels lie a plane apart in x and side by side in y.
__global__ void normalize_bytes_kernel(std::int64_t pixels, std::int64_t plane, int channels,
                                       const std::uint8_t* x,
                                       const __grid_constant__ ChannelScale scale, float* y) {
  for (std::int64_t i = thread_index(); i < pixels; i += thread_count()) {
    const std::uint8_t* from = x + i / plane * plane * channels + i % plane;
    for (int c = 0; c < channels; ++c) {
      y[i * channels + c] =
          (static_cast<float>(from[c * plane]) / 255.0f - scale.mean[c]) / scale.deviation[c];
    }
  }
}

/// Philox makes four words at once, so a thread takes four elements.
template <class T>
__global__ void dropout_kernel(std::int64_t n, const T* x, T* y, double rate, Random random) {
  const auto keep = static_cast<float>(1.0 / (1.0 - rate));
  for (std::int64_t four = thread_index(); four < (n + 3) / 4; four += thread_count()) {
    const auto words = random.block(static_cast<std::uint64_t>(four));
    for (int j = 0; j < 4 && 4 * four + j < n; ++j) {
      const double u = (words[static_cast<std::size_t>(j)] >> 8) * 0x1p-24;
      y[4 * four + j] = from_float<T>(u < rate ? 0.0f : to_float(x[4 * four + j]) * keep);
    }
  }
}

struct Relu {  // a NaN stays one
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};
struct ReluGradient {
  __device__ float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};

/// y = f(x, ...), tensors of one layout.
template <class F, class... X>
void map_tensors(const char* name, F f, const Tensor& y, const X&... x) {
  dispatch(name, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    map(name, y.numel(), elements<T>(y), f, elements<const T>(x)...);
  });
}

}  // namespace

void CudaBackend::fill(Tensor& x, double value, Write write) {
  for_any_dtype<__nv_bfloat16>(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"fill"}.reads(write == Write::accumulate ? x : Tensor()).writes(x),
           fill_kernel<T>, blocks_for(x.numel()), kThreads, x.numel(), elements<T>(x), value,
           write == Write::accumulate);
  });
}

Tensor CudaBackend::cast(const Tensor& x, Dtype dtype) {
  const Tensor plain = computes_in(dtype) ? x : x.row_major();  // no other types in images
  Tensor y = Tensor::empty(x.shape(), dtype, *this, plain.layout());
  for_any_dtype<__nv_bfloat16>(x.dtype(), [&](auto from) {
    for_any_dtype<__nv_bfloat16>(dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      launch(Traffic{"cast"}.reads(plain).writes(y), cast_kernel<From, To>, blocks_for(x.numel()),
             kThreads, x.numel(), elements<const From>(plain), elements<To>(y));
    });
  });
  return y;
}

Tensor CudaBackend::to_row_major(const Tensor& x) { return row_major(x); }

Tensor CudaBackend::normalize_bytes(const Tensor& x, std::span<const float> mean,
                                    std::span<const float> deviation) {
  require<ShapeError>(x.size(1) <= ChannelScale::kChannels,
                      "[normalize bytes] images of {} channels: expected up to {}", x.size(1),
                      ChannelScale::kChannels);
  ChannelScale scale{};
  std::copy(mean.begin(), mean.end(), scale.mean);
  std::copy(deviation.begin(), deviation.end(), scale.deviation);
  Tensor y = empty_image(x.shape(), Dtype::f32, *this);
  const std::int64_t plane = x.size(2) * x.size(3), pixels = x.size(0) * plane;
  launch(Traffic{"normalize bytes"}.reads(x).writes(y), normalize_bytes_kernel, blocks_for(pixels),
         kThreads, pixels, plane, static_cast<int>(x.size(1)), elements<const std::uint8_t>(x),
         scale, elements<float>(y));
  return y;
}

Tensor CudaBackend::add(const Tensor& a, const Tensor& b, Tensor* reuse) {
  // One that is channels-last decides: it stays with the convolutions.
  const Layout layout = b.layout() == Layout::channels_last ? b.layout() : a.layout();
  const Tensor u = in_layout(a, layout), v = in_layout(b, layout);
  const bool fits = reuse != nullptr && reuse->layout() == layout;
  Tensor y = fits ? *reuse : Tensor::empty_like(u);
  map_tensors("add", Sum{}, y, u, v);
  return y;
}

void CudaBackend::add_into(Tensor& sum, const Tensor& x) {
  add(sum, in_layout(x, sum.layout()), &sum);
}

Tensor CudaBackend::relu(const Tensor& x, bool in_place) {
  Tensor y = in_place ? x : Tensor::empty_like(x);
  map_tensors("relu", Relu{}, y, x);
  return y;
}

Tensor CudaBackend::relu_backward(const Tensor& y, const Tensor& dy, bool in_place) {
  const bool moved = dy.layout() != y.layout();
  const Tensor d = in_layout(dy, y.layout());
  Tensor dx = in_place || moved ? d : Tensor::empty_like(d);
  map_tensors("relu", ReluGradient{}, dx, y, d);
  return dx;
}

Tensor CudaBackend::dropout(const Tensor& x, double rate, std::uint64_t seed,
                            std::uint64_t stream) {
  require<ValueError>(!recording(),
                      "[dropout] a recorded step would draw the same mask again and again: run it "
                      "without recording");
  const Tensor in = x.row_major();
  Tensor y = Tensor::empty_like(in);
  dispatch("dropout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"dropout"}.reads(in).writes(y), dropout_kernel<T>,
           blocks_for((in.numel() + 3) / 4), kThreads, in.numel(), elements<const T>(in),
           elements<T>(y), rate, Random(seed, stream));
  });
  return y;
}

}  // namespace cograd
