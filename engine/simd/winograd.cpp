#include "engine/simd/winograd.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>

#include "engine/simd/kernels.h"

namespace cograd::simd {
namespace {

constexpr std::int64_t kPoints = 16;    // of a tile
constexpr std::int64_t kColumns = 32;   // of outputs, multiplied at a time: two blocks
constexpr std::int64_t kMaxTiles = 64;  // of a piece: its inputs and sums stay in the cache
// Of transformed numbers of both factors of a weight gradient, so that they stay in the last-level
// cache; rows of its products at a time.
constexpr std::int64_t kPieceBytes = 2 << 20;
constexpr std::int64_t kMaxRows = 64;

/// Between the matrices of neighbouring points: their distance would often be a power of two, and
/// the 16 places of a tile would fall into the same sets of the caches.
template <class T>
constexpr std::int64_t kSkew = 64 / sizeof(T);

std::int64_t thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}
std::int64_t thread_index() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

std::int64_t pieces_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

template <class T>
ImageBlocks<T> image_of(const Images<T>& x, std::int64_t index) {
  return {x.data + index * x.image,   x.height, x.width,
          x.channels / kChannelBlock, x.block,  x.pixel};
}

}  // namespace

template <class T>
void winograd_convolution(const Images<const T>& x, const Filters& filters, const float* bias,
                          Pair padding, const Images<T>& y, const Workspace& workspace) {
  constexpr std::int64_t kPack = 4 / sizeof(T);
  const WinogradKernels<T>& kernels = winograd_kernels<T>();
  const std::int64_t threads = thread_count();
  const std::int64_t rows = pieces_of(y.height, 2), across = pieces_of(y.width, 2);  // of tiles
  // Pieces of whole rows of tiles, at least one for each thread if there are as many.
  const std::int64_t fair = pieces_of(y.count * rows, threads);
  const std::int64_t piece = std::min(std::max<std::int64_t>(1, kMaxTiles / across), fair);
  const std::int64_t pieces = pieces_of(y.count * rows, piece);
  const std::int64_t panels = pieces_of(y.channels, kColumns);

  // Numbers per point, of the filters of a panel and of the inputs and sums of a piece.
  const std::int64_t filter_point = x.channels * kColumns + kSkew<T>;
  const std::int64_t input_point = piece * across * x.channels + kSkew<T>;
  const std::int64_t sum_point = piece * across * kColumns;
  std::byte* memory = workspace(
      kPoints * (panels * filter_point * std::int64_t{sizeof(T)} +
                 threads * (input_point * std::int64_t{sizeof(T)} + sum_point * std::int64_t{4})));
  T* const transformed = reinterpret_cast<T*>(memory);
  T* const inputs = transformed + kPoints * panels * filter_point;
  float* const sums = reinterpret_cast<float*>(inputs + kPoints * threads * input_point);

#pragma omp parallel num_threads(static_cast <int>(threads))
  {
#pragma omp for collapse(2) schedule(static)
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      for (std::int64_t c = 0; c < x.channels; c += kPack) {
        const std::int64_t first = panel * kColumns;
        kernels.filters(filters.w + first * filters.output + c * filters.input, filters.output,
                        filters.input, filters.turned, (y.channels - first) / kChannelBlock,
                        transformed + panel * kPoints * filter_point + c * kColumns, filter_point);
      }
    }
    T* const input = inputs + thread_index() * kPoints * input_point;
    float* const sum = sums + thread_index() * kPoints * sum_point;
#pragma omp for schedule(static)
    for (std::int64_t p = 0; p < pieces; ++p) {
      const std::int64_t begin = p * piece, end = std::min(begin + piece, y.count * rows);
      for (std::int64_t row = begin; row < end; ++row) {
        kernels.input(image_of(x, row / rows), row % rows * 2 - padding[0], -padding[1], across,
                      input + (row - begin) * across * x.channels, input_point);
      }
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        for (std::int64_t point = 0; point < kPoints; ++point) {
          kernels.multiply(input + point * input_point, x.channels, kPack,
                           transformed + (panel * kPoints + point) * filter_point, kColumns * kPack,
                           x.channels / kPack, (end - begin) * across, sum + point * sum_point);
        }
        for (std::int64_t row = begin; row < end; ++row) {
          ImageBlocks<T> to = image_of(y, row / rows);
          to.data += panel * 2 * to.block;
          to.blocks = std::min<std::int64_t>(2, to.blocks - panel * 2);
          kernels.output(sum + (row - begin) * across * kColumns, sum_point, across,
                         bias == nullptr ? nullptr : bias + panel * kColumns, to, row % rows * 2);
        }
      }
    }
  }
}

template <class T>
void winograd_weight_gradient(const Images<const T>& x, const Images<const T>& dy, Pair padding,
                              float* dw, bool accumulate, const Workspace& workspace) {
  constexpr std::int64_t kPack = 4 / sizeof(T);
  const WinogradKernels<T>& kernels = winograd_kernels<T>();
  const std::int64_t threads = thread_count();
  const std::int64_t rows = pieces_of(dy.height, 2), across = pieces_of(dy.width, 2);  // of tiles
  const std::int64_t packs = pieces_of(across, kPack);  // neighbours, added up at once
  const std::int64_t panels = pieces_of(dy.channels, kColumns), columns = panels * kColumns;

  // Some images at a time. So many threads share the products by their rows that each has some.
  const std::int64_t image_bytes = kPoints * rows * packs * (x.channels + columns) * 4;
  const std::int64_t images = std::clamp(kPieceBytes / image_bytes, std::int64_t{1}, x.count);
  const std::int64_t depth = images * rows * packs;  // of the products
  const std::int64_t strips =
      std::min(x.channels / kChannelBlock,
               std::max(pieces_of(x.channels, kMaxRows), pieces_of(threads, panels)));
  const std::int64_t strip = pieces_of(x.channels / kChannelBlock, strips) * kChannelBlock;

  const std::int64_t x_point = depth * x.channels * kPack + kSkew<T>,
                     dy_point = depth * columns * kPack + kSkew<T>;
  const std::int64_t sum_point = strip * kColumns;
  std::byte* memory = workspace(kPoints * ((x_point + dy_point) * std::int64_t{sizeof(T)} +
                                           threads * sum_point * std::int64_t{4}));
  T* const input = reinterpret_cast<T*>(memory);
  T* const gradient = input + kPoints * x_point;
  float* const sums = reinterpret_cast<float*>(gradient + kPoints * dy_point);

  for (std::int64_t first = 0; first < x.count; first += images) {
    const std::int64_t count = std::min(images, x.count - first);
    const bool add = accumulate || first > 0;
#pragma omp parallel num_threads(static_cast <int>(threads))
    {
#pragma omp for schedule(static)
      for (std::int64_t row = 0; row < count * rows; ++row) {
        const std::int64_t image = first + row / rows, top = row % rows * 2;
        kernels.packed_input(image_of(x, image), top - padding[0], -padding[1], across,
                             input + row * packs * x.channels * kPack, x.channels, x_point);
        kernels.output_gradient(image_of(dy, image), top, across,
                                gradient + row * packs * columns * kPack, columns, dy_point);
      }
      float* const sum = sums + thread_index() * kPoints * sum_point;
#pragma omp for collapse(2) schedule(static)
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        for (std::int64_t s = 0; s < strips; ++s) {
          const std::int64_t begin = s * strip, size = std::min(strip, x.channels - begin);
          if (size <= 0) continue;
          for (std::int64_t point = 0; point < kPoints; ++point) {
            kernels.multiply(input + point * x_point + begin * kPack, kPack, x.channels * kPack,
                             gradient + point * dy_point + panel * kColumns * kPack,
                             columns * kPack, count * rows * packs, size, sum + point * sum_point);
          }
          const std::int64_t o = panel * kColumns;
          kernels.filter_gradient(sum, sum_point, size, (dy.channels - o) / kChannelBlock,
                                  dw + (o * x.channels + begin) * 9, x.channels * 9, add);
        }
      }
    }
  }
}

template void winograd_convolution(const Images<const float>&, const Filters&, const float*, Pair,
                                   const Images<float>&, const Workspace&);
template void winograd_convolution(const Images<const std::uint16_t>&, const Filters&, const float*,
                                   Pair, const Images<std::uint16_t>&, const Workspace&);
template void winograd_weight_gradient(const Images<const float>&, const Images<const float>&, Pair,
                                       float*, bool, const Workspace&);
template void winograd_weight_gradient(const Images<const std::uint16_t>&,
                                       const Images<const std::uint16_t>&, Pair, float*, bool,
                                       const Workspace&);

}  // namespace cograd::simd
