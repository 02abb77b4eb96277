// Pooling over the windows of channels-last x [N, C, H, W], one thread per element of the result:
// neighbouring threads are neighbouring channels. Backward gathers from the windows that hold an
// element, so that no two threads add to one place and the bits repeat.
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/pool_windows.h"

namespace cograd {
namespace cuda {
namespace {

/// Both axes of x, and the extents of y.
template <class Axis>
struct Pooling {
  Axis rows, columns;
  std::int64_t channels, out_rows, out_columns;
};

/// Element i of a channels-last tensor with these extents.
struct Place {
  std::int64_t n, row, column, c;

  __device__ Place(std::int64_t i, std::int64_t rows, std::int64_t columns, std::int64_t channels)
      : n(i / (rows * columns * channels)),
        row(i / (columns * channels) % rows),
        column(i / channels % columns),
        c(i % channels) {}
};

/// `best`: where in its image plane the maximum lies.
template <class T>
__global__ void max_kernel(std::int64_t outputs, Pooling<PoolAxis> how, const T* x, T* y,
                           std::int32_t* best) {
  for (std::int64_t i = thread_index(); i < outputs; i += thread_count()) {
    const Place at(i, how.out_rows, how.out_columns, how.channels);
    const Window rows = how.rows.window(at.row), columns = how.columns.window(at.column);
    const T* plane = x + at.n * how.rows.size * how.columns.size * how.channels + at.c;
    std::int64_t where = rows.begin * how.columns.size + columns.begin;
    float top = to_float(plane[where * how.channels]);
    for (std::int64_t u = rows.begin; u < rows.end; ++u) {
      for (std::int64_t v = columns.begin; v < columns.end; ++v) {
        const std::int64_t here = u * how.columns.size + v;
        const float value = to_float(plane[here * how.channels]);
        // Strictly greater: the first of equal maxima stays. A NaN wins, to stay visible.
        if (value > top || value != value) {
          top = value;
          where = here;
        }
      }
    }
    y[i] = from_float<T>(top);
    best[i] = static_cast<std::int32_t>(where);
  }
}

template <class T>
__global__ void max_gradient_kernel(std::int64_t inputs, Pooling<PoolAxis> how, const T* dy,
                                    const std::int32_t* best, T* dx) {
  for (std::int64_t i = thread_index(); i < inputs; i += thread_count()) {
    const Place at(i, how.rows.size, how.columns.size, how.channels);
    const std::int64_t here = at.row * how.columns.size + at.column;
    const std::int64_t last_row = how.rows.last_holding(at.row, how.out_rows);
    const std::int64_t last_column = how.columns.last_holding(at.column, how.out_columns);
    float sum = 0.0f;
    for (std::int64_t u = how.rows.first_holding(at.row); u <= last_row; ++u) {
      for (std::int64_t v = how.columns.first_holding(at.column); v <= last_column; ++v) {
        const std::int64_t out =
            ((at.n * how.out_rows + u) * how.out_columns + v) * how.channels + at.c;
        if (best[out] == here) sum += to_float(dy[out]);
      }
    }
    dx[i] = from_float<T>(sum);
  }
}

__device__ float divisor(const Window& rows, const Window& columns, bool count_padding) {
  return static_cast<float>(count_padding
                                ? rows.span * columns.span
                                : (rows.end - rows.begin) * (columns.end - columns.begin));
}

/// y = sum over the window / divisor
template <class T, class Axis>
__global__ void average_kernel(std::int64_t outputs, Pooling<Axis> how, bool count_padding,
                               const T* x, T* y) {
  for (std::int64_t i = thread_index(); i < outputs; i += thread_count()) {
    const Place at(i, how.out_rows, how.out_columns, how.channels);
    const Window rows = how.rows.window(at.row), columns = how.columns.window(at.column);
    const T* plane = x + at.n * how.rows.size * how.columns.size * how.channels + at.c;
    float sum = 0.0f;
    for (std::int64_t u = rows.begin; u < rows.end; ++u) {
      for (std::int64_t v = columns.begin; v < columns.end; ++v) {
        sum += to_float(plane[(u * how.columns.size + v) * how.channels]);
      }
    }
    y[i] = from_float<T>(sum / divisor(rows, columns, count_padding));
  }
}

/// dx = sum over the windows that hold the element of dy / divisor
template <class T, class Axis>
__global__ void average_gradient_kernel(std::int64_t inputs, Pooling<Axis> how, bool count_padding,
                                        const T* dy, T* dx) {
  for (std::int64_t i = thread_index(); i < inputs; i += thread_count()) {
    const Place at(i, how.rows.size, how.columns.size, how.channels);
    const std::int64_t last_row = how.rows.last_holding(at.row, how.out_rows);
    const std::int64_t last_column = how.columns.last_holding(at.column, how.out_columns);
    float sum = 0.0f;
    for (std::int64_t u = how.rows.first_holding(at.row); u <= last_row; ++u) {
      for (std::int64_t v = how.columns.first_holding(at.column); v <= last_column; ++v) {
        const std::int64_t out =
            ((at.n * how.out_rows + u) * how.out_columns + v) * how.channels + at.c;
        sum +=
            to_float(dy[out]) / divisor(how.rows.window(u), how.columns.window(v), count_padding);
      }
    }
    dx[i] = from_float<T>(sum);
  }
}

Pooling<PoolAxis> pooling(const Shape& x, const PoolGeometry& g) {
  const Shape y = g.output(x);
  return {PoolAxis(x[2], 0, g), PoolAxis(x[3], 1, g), x[1], y[2], y[3]};
}

Pooling<AdaptiveAxis> adaptive(const Shape& x, std::int64_t rows, std::int64_t columns) {
  return {{x[2], rows}, {x[3], columns}, x[1], rows, columns};
}

template <class Axis>
Tensor average(const Tensor& x, const Pooling<Axis>& how, bool count_padding) {
  const Tensor in = channels_last(x);
  Tensor y =
      empty_image({x.size(0), x.size(1), how.out_rows, how.out_columns}, x.dtype(), x.backend());
  dispatch("avg_pool", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"avg_pool"}.reads(in).writes(y), average_kernel<T, Axis>, blocks_for(y.numel()),
           kThreads, y.numel(), how, count_padding, elements<const T>(in), elements<T>(y));
  });
  return y;
}

template <class Axis>
Tensor average_backward(const Tensor& dy, const Shape& x_shape, const Pooling<Axis>& how,
                        bool count_padding) {
  const Tensor in = channels_last(dy);
  Tensor dx = empty_image(x_shape, dy.dtype(), dy.backend());
  dispatch("avg_pool", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"avg_pool backward"}.reads(in).writes(dx), average_gradient_kernel<T, Axis>,
           blocks_for(dx.numel()), kThreads, dx.numel(), how, count_padding, elements<const T>(in),
           elements<T>(dx));
  });
  return dx;
}

}  // namespace
}  // namespace cuda

using namespace cuda;

/// `saved` holds, per output element, the index of its maximum in the image plane (i32).
MaxPoolResult CudaBackend::max_pool(const Tensor& x, const PoolGeometry& geometry) {
  const Tensor in = channels_last(x);
  const Pooling<PoolAxis> how = pooling(x.shape(), geometry);
  const Shape shape{x.size(0), x.size(1), how.out_rows, how.out_columns};
  MaxPoolResult result{empty_image(shape, x.dtype(), *this), empty_image(shape, Dtype::i32, *this)};
  dispatch("max_pool", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"max_pool"}.reads(in).writes(result.y, result.saved), max_kernel<T>,
           blocks_for(result.y.numel()), kThreads, result.y.numel(), how, elements<const T>(in),
           elements<T>(result.y), elements<std::int32_t>(result.saved));
  });
  return result;
}

Tensor CudaBackend::max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                                      const PoolGeometry& geometry) {
  const Tensor in = channels_last(dy);
  Tensor dx = empty_image(x_shape, dy.dtype(), *this);
  dispatch("max_pool", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(Traffic{"max_pool backward"}.reads(in, saved).writes(dx), max_gradient_kernel<T>,
           blocks_for(dx.numel()), kThreads, dx.numel(), pooling(x_shape, geometry),
           elements<const T>(in), elements<std::int32_t>(saved), elements<T>(dx));
  });
  return dx;
}

Tensor CudaBackend::avg_pool(const Tensor& x, const PoolGeometry& geometry) {
  return average(x, pooling(x.shape(), geometry), geometry.count_include_pad);
}

Tensor CudaBackend::avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                                      const PoolGeometry& geometry) {
  return average_backward(dy, x_shape, pooling(x_shape, geometry), geometry.count_include_pad);
}

Tensor CudaBackend::adaptive_avg_pool(const Tensor& x, Pair output) {
  return average(x, adaptive(x.shape(), output[0], output[1]), true);
}

Tensor CudaBackend::adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) {
  return average_backward(dy, x_shape, adaptive(x_shape, dy.size(2), dy.size(3)), true);
}

}  // namespace cograd
