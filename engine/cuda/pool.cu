// Pooling over the windows of channels-last x [N, C, H, W]. A block makes a stretch of one row of
// the result, a thread some of its channels, all in 32 bits and without divisions. Backward gathers
// from the windows that hold an element, so that no two threads add to one place and the bits
// repeat.
#include "cograd/engine/cuda/channel_sweep.h"
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/cuda/pool_axes.h"

namespace cograd {
namespace cuda {
namespace {

constexpr std::int64_t kMostBlocks = 65535;  // along the axes y and z of a grid

/// Both axes of x, and what has to be known of the images.
template <class Axis>
struct Pooling {
  Axis rows, columns;
  int images, channels;

  __device__ int in(int row, int column, int c) const {
    return (row * columns.size + column) * channels + c;
  }
  __device__ int out(int row, int column, int c) const {
    return (row * columns.outputs + column) * channels + c;
  }
  __device__ std::int64_t image_in(int n) const {
    return std::int64_t{n} * (rows.size * columns.size * channels);
  }
  __device__ std::int64_t image_out(int n) const {
    return std::int64_t{n} * (rows.outputs * columns.outputs * channels);
  }
};

/// body(n, column, c) for what this block makes of a row of `columns`, V channels at a time.
template <int V, class Body>
__device__ void for_each_pack(int images, int columns, int channels, const Body& body) {
  const int column = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (column >= columns) return;
  for (int n = static_cast<int>(blockIdx.z); n < images; n += static_cast<int>(gridDim.z)) {
    for (int c = static_cast<int>(threadIdx.x) * V; c < channels;
         c += static_cast<int>(blockDim.x) * V) {
      body(n, column, c);
    }
  }
}

/// `best`: where in its window the maximum lies, row by row.
template <int V, class T, class Best>
__global__ void max_kernel(Pooling<SlidingAxis> how, const T* x, T* y, Best* best) {
  const int row = static_cast<int>(blockIdx.y), width = how.columns.kernel;
  const Span rows = how.rows.window(row);
  for_each_pack<V>(how.images, how.columns.outputs, how.channels, [&](int n, int column, int c) {
    const Span columns = how.columns.window(column);
    const T* image = x + how.image_in(n);
    Floats<V> top = load<V>(image + how.in(rows.begin, columns.begin, c));
    int where[V];
    for (int j = 0; j < V; ++j) {
      where[j] = (rows.begin - rows.start) * width + columns.begin - columns.start;
    }
    for (int u = rows.begin; u < rows.end; ++u) {
      for (int v = columns.begin; v < columns.end; ++v) {
        const Floats<V> values = load<V>(image + how.in(u, v, c));
        const int here = (u - rows.start) * width + v - columns.start;
        for (int j = 0; j < V; ++j) {
          // Strictly greater: the first of equal maxima stays. A NaN wins, to stay visible.
          const bool wins = values.at[j] > top.at[j] || values.at[j] != values.at[j];
          top.at[j] = wins ? values.at[j] : top.at[j];
          where[j] = wins ? here : where[j];
        }
      }
    }
    const std::int64_t at = how.image_out(n) + how.out(row, column, c);
    store(y + at, top);
    Pack<Best, V> places;
    for (int j = 0; j < V; ++j) places.at[j] = static_cast<Best>(where[j]);
    store_pack(best + at, places);
  });
}

template <int V, class T, class Best>
__global__ void max_gradient_kernel(Pooling<SlidingAxis> how, const T* dy, const Best* best,
                                    T* dx) {
  const int row = static_cast<int>(blockIdx.y), width = how.columns.kernel;
  const int first_row = how.rows.first_holding(row), last_row = how.rows.last_holding(row);
  for_each_pack<V>(how.images, how.columns.size, how.channels, [&](int n, int column, int c) {
    const int first = how.columns.first_holding(column), last = how.columns.last_holding(column);
    const std::int64_t image = how.image_out(n);
    Floats<V> sum{};
    for (int u = first_row; u <= last_row; ++u) {
      for (int v = first; v <= last; ++v) {
        const std::int64_t out = image + how.out(u, v, c);
        const Floats<V> d = load<V>(dy + out);
        const Pack<Best, V> places = load_pack<V>(best + out);
        const int here = (row - u * how.rows.stride + how.rows.padding) * width + column -
                         v * how.columns.stride + how.columns.padding;
        for (int j = 0; j < V; ++j) {
          if (static_cast<int>(places.at[j]) == here) sum.at[j] += d.at[j];
        }
      }
    }
    store(dx + how.image_in(n) + how.in(row, column, c), sum);
  });
}

/// 1 / the number of elements that an average is over.
struct Divisors {
  Inverses rows, columns;
  bool count_padding;

  __device__ float row(const Span& s) const {
    return rows.of(count_padding ? s.span : s.end - s.begin);
  }
  __device__ float column(const Span& s) const {
    return columns.of(count_padding ? s.span : s.end - s.begin);
  }
};

/// y = sum over the window / its elements
template <int V, class T, class Axis>
__global__ void average_kernel(Pooling<Axis> how, const __grid_constant__ Divisors divisors,
                               const T* x, T* y) {
  const int row = static_cast<int>(blockIdx.y);
  const Span rows = how.rows.window(row);
  for_each_pack<V>(how.images, how.columns.outputs, how.channels, [&](int n, int column, int c) {
    const Span columns = how.columns.window(column);
    const T* image = x + how.image_in(n);
    Floats<V> sum{};
    for (int u = rows.begin; u < rows.end; ++u) {
      for (int v = columns.begin; v < columns.end; ++v) {
        const Floats<V> values = load<V>(image + how.in(u, v, c));
        for (int j = 0; j < V; ++j) sum.at[j] += values.at[j];
      }
    }
    const float weight = divisors.row(rows) * divisors.column(columns);
    for (int j = 0; j < V; ++j) sum.at[j] *= weight;
    store(y + how.image_out(n) + how.out(row, column, c), sum);
  });
}

/// dx = sum over the windows that hold the element of dy / their elements
template <int V, class T, class Axis>
__global__ void average_gradient_kernel(Pooling<Axis> how,
                                        const __grid_constant__ Divisors divisors, const T* dy,
                                        T* dx) {
  const int row = static_cast<int>(blockIdx.y);
  const int first_row = how.rows.first_holding(row), last_row = how.rows.last_holding(row);
  for_each_pack<V>(how.images, how.columns.size, how.channels, [&](int n, int column, int c) {
    const int first = how.columns.first_holding(column), last = how.columns.last_holding(column);
    const T* image = dy + how.image_out(n);
    Floats<V> sum{};
    for (int u = first_row; u <= last_row; ++u) {
      const float of_row = divisors.row(how.rows.window(u));
      for (int v = first; v <= last; ++v) {
        const Floats<V> d = load<V>(image + how.out(u, v, c));
        const float weight = of_row * divisors.column(how.columns.window(v));
        for (int j = 0; j < V; ++j) sum.at[j] += d.at[j] * weight;
      }
    }
    store(dx + how.image_in(n) + how.in(row, column, c), sum);
  });
}

/// Launches a kernel that makes `result`, `pack` channels per thread.
template <class Kernel, class... A>
void launch_rows(const Traffic& traffic, Kernel* kernel, const Tensor& result, int pack,
                 const A&... arguments) {
  const std::int64_t rows = result.size(2), columns = result.size(3);
  if (result.numel() == 0) return;
  const std::int64_t across = std::min<std::int64_t>(result.size(1) / pack, kThreads);
  const std::int64_t together = kThreads / across;
  const std::int64_t tiles = (columns + together - 1) / together;
  const dim3 blocks(static_cast<unsigned>(tiles), static_cast<unsigned>(rows),
                    static_cast<unsigned>(std::min(result.size(0), kMostBlocks)));
  const dim3 threads(static_cast<unsigned>(across),
                     static_cast<unsigned>((columns + tiles - 1) / tiles));
  launch(traffic, kernel, blocks, threads, arguments...);
}

template <class Axis>
Pooling<Axis> pooling(const char* name, const Shape& x, Axis rows, Axis columns) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  require<ShapeError>(x[2] <= kMostBlocks && rows.outputs <= kMostBlocks &&
                          x[1] * x[2] * x[3] < kMost &&
                          x[1] * rows.outputs * columns.outputs < kMost &&
                          (x[2] + 1) * rows.outputs < kMost && (x[3] + 1) * columns.outputs < kMost,
                      "[{}] images of {} are too large for cuda", name, x);
  return {rows, columns, static_cast<int>(x[0]), static_cast<int>(x[1])};
}

Pooling<SlidingAxis> sliding(const char* name, const Shape& x, const PoolGeometry& g) {
  const Shape y = g.output(x);
  return pooling(name, x, SlidingAxis(x[2], y[2], 0, g), SlidingAxis(x[3], y[3], 1, g));
}

Pooling<AdaptiveCells> adaptive(const Shape& x, std::int64_t rows, std::int64_t columns) {
  return pooling("adaptive_avg_pool", x, AdaptiveCells(x[2], rows), AdaptiveCells(x[3], columns));
}

template <class Axis>
Divisors divisors(const Pooling<Axis>& how, bool count_padding) {
  for (const Axis& axis : std::initializer_list<Axis>{how.rows, how.columns}) {
    const int spans = axis.largest() - axis.smallest() + 1;
    require<ShapeError>(spans <= Inverses::kMost,
                        "[avg_pool] windows of {} rows or columns: expected at most {} on cuda",
                        axis.largest(), Inverses::kMost);
  }
  return {Inverses(how.rows), Inverses(how.columns), count_padding};
}

template <class Axis>
Tensor average(const Tensor& x, const Pooling<Axis>& how, bool count_padding) {
  const Tensor in = channels_last(x);
  Tensor y = empty_image({x.size(0), x.size(1), how.rows.outputs, how.columns.outputs}, x.dtype(),
                         x.backend());
  dispatch_pack("avg_pool", x.dtype(), x.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    launch_rows(Traffic{"avg_pool"}.reads(in).writes(y), average_kernel<V, T, Axis>, y, V, how,
                divisors(how, count_padding), elements<const T>(in), elements<T>(y));
  });
  return y;
}

template <class Axis>
Tensor average_backward(const Tensor& dy, const Shape& x_shape, const Pooling<Axis>& how,
                        bool count_padding) {
  const Tensor in = channels_last(dy);
  Tensor dx = empty_image(x_shape, dy.dtype(), dy.backend());
  dispatch_pack("avg_pool", dy.dtype(), dy.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    launch_rows(Traffic{"avg_pool backward"}.reads(in).writes(dx),
                average_gradient_kernel<V, T, Axis>, dx, V, how, divisors(how, count_padding),
                elements<const T>(in), elements<T>(dx));
  });
  return dx;
}

/// Calls kernel(T{}, pack, Best{}): offsets in windows of up to 256 elements take a byte.
template <class Kernel>
void dispatch_best(Dtype dtype, Dtype best, std::int64_t channels, const Kernel& kernel) {
  if (best == Dtype::u8) {
    dispatch_pack("max_pool", dtype, channels,
                  [&](auto zero, auto pack) { kernel(zero, pack, std::uint8_t{}); });
  } else {
    dispatch("max_pool", dtype,
             [&](auto zero) { kernel(zero, std::integral_constant<int, 1>{}, std::int32_t{}); });
  }
}

}  // namespace
}  // namespace cuda

using namespace cuda;

/// `saved` holds, per output element, where in its window the maximum lies (u8 or i32).
MaxPoolResult CudaBackend::max_pool(const Tensor& x, const PoolGeometry& geometry) {
  const Tensor in = channels_last(x);
  const Pooling<SlidingAxis> how = sliding("max_pool", x.shape(), geometry);
  const Shape shape = geometry.output(x.shape());
  const Dtype best = geometry.kernel[0] * geometry.kernel[1] <= 256 ? Dtype::u8 : Dtype::i32;
  MaxPoolResult result{empty_image(shape, x.dtype(), *this), empty_image(shape, best, *this)};
  dispatch_best(x.dtype(), best, x.size(1), [&](auto zero, auto pack, auto place) {
    using T = decltype(zero);
    using Best = decltype(place);
    constexpr int V = decltype(pack)::value;
    launch_rows(Traffic{"max_pool"}.reads(in).writes(result.y, result.saved),
                max_kernel<V, T, Best>, result.y, V, how, elements<const T>(in),
                elements<T>(result.y), elements<Best>(result.saved));
  });
  return result;
}

Tensor CudaBackend::max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                                      const PoolGeometry& geometry) {
  const Tensor in = channels_last(dy);
  const Pooling<SlidingAxis> how = sliding("max_pool", x_shape, geometry);
  Tensor dx = empty_image(x_shape, dy.dtype(), *this);
  dispatch_best(dy.dtype(), saved.dtype(), dy.size(1), [&](auto zero, auto pack, auto place) {
    using T = decltype(zero);
    using Best = decltype(place);
    constexpr int V = decltype(pack)::value;
    launch_rows(Traffic{"max_pool backward"}.reads(in, saved).writes(dx),
                max_gradient_kernel<V, T, Best>, dx, V, how, elements<const T>(in),
                elements<const Best>(saved), elements<T>(dx));
  });
  return dx;
}

Tensor CudaBackend::avg_pool(const Tensor& x, const PoolGeometry& geometry) {
  return average(x, sliding("avg_pool", x.shape(), geometry), geometry.count_include_pad);
}

Tensor CudaBackend::avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                                      const PoolGeometry& geometry) {
  return average_backward(dy, x_shape, sliding("avg_pool", x_shape, geometry),
                          geometry.count_include_pad);
}

Tensor CudaBackend::adaptive_avg_pool(const Tensor& x, Pair output) {
  return average(x, adaptive(x.shape(), output[0], output[1]), true);
}

Tensor CudaBackend::adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) {
  return average_backward(dy, x_shape, adaptive(x_shape, dy.size(2), dy.size(3)), true);
}

}  // namespace cograd
