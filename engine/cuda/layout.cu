#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/layout.h"
#include "cograd/engine/cuda/map.h"

namespace cograd::cuda {
namespace {

constexpr int kTile = 32, kTileRows = 8;

/// to[b][c][r] (+)= from[b][r][c], by tiles in shared memory, so that reads and writes are
/// coalesced. One spare column keeps the columns of a tile in different banks.
template <class From, class To>
__global__ void transpose_kernel(std::int64_t rows, std::int64_t columns, const From* from, To* to,
                                 bool accumulate) {
  __shared__ float tile[kTile][kTile + 1];
  const std::int64_t matrix = std::int64_t{blockIdx.z} * rows * columns;
  const std::int64_t r0 = std::int64_t{blockIdx.y} * kTile, c0 = std::int64_t{blockIdx.x} * kTile;
  for (int r = threadIdx.y; r < kTile; r += kTileRows) {
    const std::int64_t row = r0 + r, column = c0 + threadIdx.x;
    if (row < rows && column < columns) {
      tile[r][threadIdx.x] = to_float(from[matrix + row * columns + column]);
    }
  }
  __syncthreads();
  for (int c = threadIdx.y; c < kTile; c += kTileRows) {
    const std::int64_t row = r0 + threadIdx.x, column = c0 + c;
    if (row < rows && column < columns) {
      To& out = to[matrix + column * rows + row];
      out = from_float<To>(tile[threadIdx.x][c] + (accumulate ? to_float(out) : 0.0f));
    }
  }
}

template <class From, class To>
void transpose(std::int64_t batch, std::int64_t rows, std::int64_t columns, const From* from,
               To* to, bool accumulate = false) {
  constexpr std::int64_t kBatches = 65535;  // of a grid's z axis
  const auto tiles = [](std::int64_t n) { return static_cast<unsigned>((n + kTile - 1) / kTile); };
  require<ShapeError>(rows <= kTile * kBatches, "[transpose] {} rows are too many", rows);
  for (std::int64_t b = 0; b < batch; b += kBatches) {
    const auto matrices = static_cast<unsigned>(std::min(kBatches, batch - b));
    const std::int64_t values = rows * columns * matrices;
    const auto traffic =
        Traffic{"transpose"}.reads(values * sizeof(From)).writes(values * sizeof(To));
    launch(accumulate ? traffic.reads(values * sizeof(To)) : traffic, transpose_kernel<From, To>,
           dim3(tiles(columns), tiles(rows), matrices), dim3(kTile, kTileRows), rows, columns,
           from + b * rows * columns, to + b * rows * columns, accumulate);
  }
}

}  // namespace

Tensor empty_image(const Shape& shape, Dtype dtype, Backend& backend) {
  return Tensor::empty(shape, dtype, backend, Layout::channels_last);
}

Tensor channels_last(const Tensor& x) {
  if (x.layout() == Layout::channels_last) return x;
  Tensor y = empty_image(x.shape(), x.dtype(), x.backend());
  dispatch("layout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    transpose(x.size(0), x.size(1), x.size(2) * x.size(3), elements<T>(x), elements<T>(y));
  });
  return y;
}

Tensor row_major(const Tensor& x) {
  if (x.layout() == Layout::row_major) return x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.backend());
  dispatch("layout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    transpose(x.size(0), x.size(2) * x.size(3), x.size(1), elements<T>(x), elements<T>(y));
  });
  return y;
}

Tensor in_layout(const Tensor& x, Layout layout) {
  return layout == Layout::channels_last ? channels_last(x) : row_major(x);
}

Tensor weights_for_cudnn(const Tensor& w, Dtype dtype) {
  if (w.size(2) * w.size(3) == 1) return w.to(dtype);  // nothing to move
  Tensor filter = Tensor::empty({w.size(0), w.size(2), w.size(3), w.size(1)}, dtype, w.backend());
  dispatch("conv2d", dtype, [&](auto zero) {
    using T = decltype(zero);
    transpose(w.size(0), w.size(1), w.size(2) * w.size(3), elements<float>(w), elements<T>(filter));
  });
  return filter;
}

void weight_gradient_from_cudnn(const Tensor& gradients, GroupGradients dw) {
  const Shape filter = dw.values.shape().inner();
  const bool moves = filter[2] * filter[3] > 1, adds = dw.write == Write::accumulate;
  const std::int64_t row = gradients.size(1);
  // Rows that follow one another without a gap are one.
  const std::int64_t pieces = row == filter.numel() ? 1 : gradients.size(0);
  const std::int64_t filters = gradients.size(0) / pieces, n = filters * filter.numel();
  dispatch("conv2d", gradients.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const T* from = elements<const T>(gradients) + piece * row;
      float* to = elements<float>(dw.values) + piece * n;
      if (moves) {
        transpose(filters * filter[0], filter[2] * filter[3], filter[1], from, to, adds);
      } else if (adds) {
        map("weights", n, to, Sum{}, static_cast<const float*>(to), from);
      } else {
        map("weights", n, to, Same{}, from);
      }
    }
  });
}

}  // namespace cograd::cuda
