// Pooling over the windows of x [N, C, H, W], plane by plane.
#include <utility>

#include "cograd/engine/pool_windows.h"
#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {
namespace {

using reference::dispatch;

/// For each output element calls visit(output index, first input index of its plane, rows,
/// columns), where `cell(i, j)` gives the windows of output pixel (i, j).
template <class Cell, class Visit>
void for_each_output(const Shape& x, const Shape& y, Cell&& cell, Visit&& visit) {
  std::int64_t out = 0;
  for (std::int64_t plane = 0; plane < x[0] * x[1]; ++plane) {
    for (std::int64_t i = 0; i < y[2]; ++i) {
      for (std::int64_t j = 0; j < y[3]; ++j, ++out) {
        const auto [rows, columns] = cell(i, j);
        visit(out, plane * x[2] * x[3], rows, columns);
      }
    }
  }
}

auto pool_cells(const Shape& x, const PoolGeometry& g) {
  return
      [rows = PoolAxis(x[2], 0, g), columns = PoolAxis(x[3], 1, g)](
          std::int64_t i, std::int64_t j) { return std::pair(rows.window(i), columns.window(j)); };
}

auto adaptive_cells(const Shape& x, const Shape& y) {
  return
      [rows = AdaptiveAxis{x[2], y[2]}, columns = AdaptiveAxis{x[3], y[3]}](
          std::int64_t i, std::int64_t j) { return std::pair(rows.window(i), columns.window(j)); };
}

/// y = sum over the window / divisor(rows, columns)
template <class Cell, class Divisor>
Tensor average(const Tensor& x, Tensor y, Cell&& cell, Divisor&& divisor) {
  dispatch("avg_pool", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    T* Y = y.data<T>();
    for_each_output(x.shape(), y.shape(), cell,
                    [&](std::int64_t out, std::int64_t plane, Window rows, Window columns) {
                      double sum = 0.0;
                      for (std::int64_t u = rows.begin; u < rows.end; ++u) {
                        for (std::int64_t v = columns.begin; v < columns.end; ++v) {
                          sum += X[plane + u * x.size(3) + v];
                        }
                      }
                      Y[out] = static_cast<T>(sum / divisor(rows, columns));
                    });
  });
  return y;
}

/// dx = sum over the windows that hold the pixel of dy / divisor
template <class Cell, class Divisor>
Tensor average_backward(const Tensor& dy, Tensor dx, Cell&& cell, Divisor&& divisor) {
  dispatch("avg_pool", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* DY = dy.data<T>();
    T* DX = dx.data<T>();
    for_each_output(dx.shape(), dy.shape(), cell,
                    [&](std::int64_t out, std::int64_t plane, Window rows, Window columns) {
                      const T share = static_cast<T>(DY[out] / divisor(rows, columns));
                      for (std::int64_t u = rows.begin; u < rows.end; ++u) {
                        for (std::int64_t v = columns.begin; v < columns.end; ++v) {
                          DX[plane + u * dx.size(3) + v] += share;
                        }
                      }
                    });
  });
  return dx;
}

auto divisor_of(const PoolGeometry& g) {
  return [include = g.count_include_pad](Window rows, Window columns) {
    return static_cast<double>(include ? rows.span * columns.span
                                       : (rows.end - rows.begin) * (columns.end - columns.begin));
  };
}

double area(Window rows, Window columns) { return static_cast<double>(rows.span * columns.span); }

}  // namespace

/// `saved` holds, per output element, the index of its maximum in the image plane (i64).
MaxPoolResult ReferenceBackend::max_pool(const Tensor& x, const PoolGeometry& geometry) {
  const Shape shape = geometry.output(x.shape());
  MaxPoolResult result{Tensor::empty(shape, x.dtype(), *this),
                       Tensor::empty(shape, Dtype::i64, *this)};
  dispatch("max_pool", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    for_each_output(x.shape(), shape, pool_cells(x.shape(), geometry),
                    [&](std::int64_t out, std::int64_t plane, Window rows, Window columns) {
                      std::int64_t best = rows.begin * x.size(3) + columns.begin;
                      for (std::int64_t u = rows.begin; u < rows.end; ++u) {
                        for (std::int64_t v = columns.begin; v < columns.end; ++v) {
                          const std::int64_t here = u * x.size(3) + v;
                          const T value = X[plane + here];
                          // Strictly greater: the first of equal maxima stays. A NaN wins, to stay
                          // visible.
                          if (value > X[plane + best] || value != value) best = here;
                        }
                      }
                      result.y.data<T>()[out] = X[plane + best];
                      result.saved.data<std::int64_t>()[out] = best;
                    });
  });
  return result;
}

Tensor ReferenceBackend::max_pool_backward(const Tensor& dy, const Tensor& saved,
                                           const Shape& x_shape, const PoolGeometry&) {
  Tensor dx = Tensor::zeros(x_shape, dy.dtype(), *this);
  const std::int64_t out_pixels = dy.size(2) * dy.size(3);
  dispatch("max_pool", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t* best = saved.data<std::int64_t>();
    for (std::int64_t out = 0; out < dy.numel(); ++out) {
      const std::int64_t plane = out / out_pixels * x_shape[2] * x_shape[3];
      dx.data<T>()[plane + best[out]] += dy.data<T>()[out];
    }
  });
  return dx;
}

Tensor ReferenceBackend::avg_pool(const Tensor& x, const PoolGeometry& geometry) {
  return average(x, Tensor::empty(geometry.output(x.shape()), x.dtype(), *this),
                 pool_cells(x.shape(), geometry), divisor_of(geometry));
}

Tensor ReferenceBackend::avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                                           const PoolGeometry& geometry) {
  return average_backward(dy, Tensor::zeros(x_shape, dy.dtype(), *this),
                          pool_cells(x_shape, geometry), divisor_of(geometry));
}

Tensor ReferenceBackend::adaptive_avg_pool(const Tensor& x, Pair output) {
  Tensor y = Tensor::empty({x.size(0), x.size(1), output[0], output[1]}, x.dtype(), *this);
  const auto cells = adaptive_cells(x.shape(), y.shape());
  return average(x, std::move(y), cells, area);
}

Tensor ReferenceBackend::adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) {
  return average_backward(dy, Tensor::zeros(x_shape, dy.dtype(), *this),
                          adaptive_cells(x_shape, dy.shape()), area);
}

}  // namespace cograd
