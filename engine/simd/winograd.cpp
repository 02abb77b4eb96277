#include "engine/simd/winograd.h"

#include <algorithm>

#include "engine/simd/kernels.h"
#include "engine/threads.h"

namespace cograd::simd {
namespace {

constexpr std::int64_t kMaxTiles = 64;  // of a piece: its inputs and sums stay in the cache
// Of transformed numbers of both factors of a filter gradient, so that they stay in the last-level
// cache; rows of its products at a time.
constexpr std::int64_t kPieceBytes = 2 << 20;
constexpr std::int64_t kMaxRows = 64;

/// Between the matrices of neighbouring points: their distance would often be a power of two, and
/// the 16 places of a tile would fall into the same sets of the caches.
template <class T>
constexpr std::int64_t kSkew = 64 / sizeof(T);

std::int64_t pieces_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// Work of `rows` by `columns`, shared out to threads as a grid. Each thread transforms by itself
/// what its part takes: numbers that another core has written are slow to read, more than it takes
/// to make them again. So the grid with the smallest parts, of rows plus columns, is chosen.
struct Grid {
  std::int64_t down = 1, across = 1;

  Grid(std::int64_t threads, std::int64_t rows, std::int64_t row_units, std::int64_t columns,
       std::int64_t column_units) {
    std::int64_t least = rows + columns, used = 1;
    for (std::int64_t a = 1; a <= std::min(threads, row_units); ++a) {
      const std::int64_t b = std::min(threads / a, column_units);
      const std::int64_t part = pieces_of(rows, a) + pieces_of(columns, b);
      if (a * b < used || (a * b == used && part >= least)) continue;
      down = a, across = b, least = part, used = a * b;
    }
  }
  std::int64_t count() const { return down * across; }
};

/// The channel blocks [first, first + count) of an image.
template <class T>
ImageBlocks<T> blocks_of(const Images<T>& x, std::int64_t image, std::int64_t first,
                         std::int64_t count) {
  return {x.data + image * x.image + first * x.block, x.height, x.width, count, x.block, x.pixel};
}

}  // namespace

template <class T>
void winograd_convolution(const Images<const T>& x, const Filters& filters, const float* bias,
                          Pair padding, const Images<T>& y, const Workspace& workspace) {
  const WinogradKernels<T>& kernels = winograd_kernels<T>();
  const std::int64_t rows = pieces_of(y.height, 2), tiles = pieces_of(y.width, 2);  // of one row
  const std::int64_t panels = pieces_of(y.channels, kPanelColumns),
                     blocks = x.channels / kChannelBlock;
  const Grid grid(thread_count(), y.count * rows * tiles, y.count * rows, y.channels, panels);
  // Pieces of whole rows of tiles.
  const std::int64_t piece =
      std::min(std::max<std::int64_t>(1, kMaxTiles / tiles), pieces_of(y.count * rows, grid.down));

  // Numbers per point, of the filters of a panel and of the inputs and sums of a piece; and the
  // bytes of one part of the grid.
  const std::int64_t filter_point = x.channels * kPanelColumns + kSkew<T>;
  const std::int64_t input_point = piece * tiles * x.channels + kSkew<T>;
  const std::int64_t sum_point = piece * tiles * kPanelColumns;
  const std::int64_t most_panels = pieces_of(panels, grid.across);
  const std::int64_t bytes =
      kTilePoints * ((most_panels * filter_point + input_point) * std::int64_t{sizeof(T)} +
                     sum_point * std::int64_t{sizeof(float)});
  std::byte* const memory = workspace(grid.count() * bytes);

  parallel(grid.count(), [&](std::int64_t part) {
    const Part own_rows(y.count * rows, grid.down, part / grid.across);
    const Part own_panels(panels, grid.across, part % grid.across);
    T* const filter = reinterpret_cast<T*>(memory + part * bytes);
    T* const input = filter + kTilePoints * most_panels * filter_point;
    float* const sums = reinterpret_cast<float*>(input + kTilePoints * input_point);

    for (std::int64_t panel = own_panels.begin; panel < own_panels.end; ++panel) {
      const std::int64_t o = panel * kPanelColumns;
      T* const to = filter + (panel - own_panels.begin) * kTilePoints * filter_point;
      for (std::int64_t c = 0; c < x.channels; c += kPack<T>) {
        kernels.filters(filters.w + o * filters.output + c * filters.input, filters.output,
                        filters.input, filters.turned, (y.channels - o) / kChannelBlock,
                        to + c * kPanelColumns, filter_point);
      }
    }
    for (std::int64_t begin = own_rows.begin; begin < own_rows.end; begin += piece) {
      const std::int64_t end = std::min(begin + piece, own_rows.end);
      for (std::int64_t row = begin; row < end; ++row) {
        kernels.input(blocks_of(x, row / rows, 0, blocks), row % rows * 2 - padding[0], -padding[1],
                      tiles, input + (row - begin) * tiles * x.channels, input_point);
      }
      for (std::int64_t panel = own_panels.begin; panel < own_panels.end; ++panel) {
        const T* const from = filter + (panel - own_panels.begin) * kTilePoints * filter_point;
        for (std::int64_t point = 0; point < kTilePoints; ++point) {
          kernels.multiply(input + point * input_point, x.channels, kPack<T>,
                           from + point * filter_point, kPanelColumns * kPack<T>,
                           x.channels / kPack<T>, (end - begin) * tiles, sums + point * sum_point);
        }
        const std::int64_t block = panel * kPanelColumns / kChannelBlock;
        const std::int64_t count = std::min<std::int64_t>(2, y.channels / kChannelBlock - block);
        for (std::int64_t row = begin; row < end; ++row) {
          kernels.output(sums + (row - begin) * tiles * kPanelColumns, sum_point, tiles,
                         bias == nullptr ? nullptr : bias + panel * kPanelColumns,
                         blocks_of(y, row / rows, block, count), row % rows * 2);
        }
      }
    }
  });
}

template <class T>
void winograd_weight_gradient(const Images<const T>& x, const Images<const T>& dy, Pair padding,
                              float* dw, bool accumulate, const Workspace& workspace) {
  const WinogradKernels<T>& kernels = winograd_kernels<T>();
  const std::int64_t rows = pieces_of(dy.height, 2), tiles = pieces_of(dy.width, 2);  // of one row
  const std::int64_t packs = pieces_of(tiles, kPack<T>);
  const std::int64_t blocks = x.channels / kChannelBlock;
  const std::int64_t panels = pieces_of(dy.channels, kPanelColumns);
  const Grid grid(thread_count(), x.channels, blocks, dy.channels, panels);

  // Some images at a time, as many with any number of threads: that sets the order of additions.
  const std::int64_t image_bytes =
      kTilePoints * rows * packs * (x.channels + panels * kPanelColumns) * 4;
  const std::int64_t images = std::clamp(kPieceBytes / image_bytes, std::int64_t{1}, x.count);
  const std::int64_t depth = images * rows * packs;  // of the products

  // Numbers per point and bytes, as above.
  const std::int64_t most_rows = pieces_of(blocks, grid.down) * kChannelBlock;
  const std::int64_t most_columns = pieces_of(panels, grid.across) * kPanelColumns;
  const std::int64_t x_point = depth * most_rows * kPack<T> + kSkew<T>;
  const std::int64_t dy_point = depth * most_columns * kPack<T> + kSkew<T>;
  const std::int64_t sum_point = std::min(kMaxRows, most_rows) * kPanelColumns;
  const std::int64_t bytes = kTilePoints * ((x_point + dy_point) * std::int64_t{sizeof(T)} +
                                            sum_point * std::int64_t{sizeof(float)});
  std::byte* const memory = workspace(grid.count() * bytes);

  parallel(grid.count(), [&](std::int64_t part) {
    const Part own_blocks(blocks, grid.down, part / grid.across);
    const Part own_panels(panels, grid.across, part % grid.across);
    T* const input = reinterpret_cast<T*>(memory + part * bytes);
    T* const gradient = input + kTilePoints * x_point;
    float* const sums = reinterpret_cast<float*>(gradient + kTilePoints * dy_point);
    const std::int64_t channels = own_blocks.size() * kChannelBlock;
    const std::int64_t columns = own_panels.size() * kPanelColumns;
    const std::int64_t first_block = own_panels.begin * kPanelColumns / kChannelBlock;
    const std::int64_t block_count =
        std::min(columns, dy.channels - own_panels.begin * kPanelColumns) / kChannelBlock;

    for (std::int64_t first = 0; first < x.count; first += images) {
      const std::int64_t count = std::min(images, x.count - first);
      for (std::int64_t row = 0; row < count * rows; ++row) {
        const std::int64_t image = first + row / rows, top = row % rows * 2;
        kernels.packed_input(blocks_of(x, image, own_blocks.begin, own_blocks.size()),
                             top - padding[0], -padding[1], tiles,
                             input + row * packs * channels * kPack<T>, channels, x_point);
        kernels.output_gradient(blocks_of(dy, image, first_block, block_count), top, tiles,
                                gradient + row * packs * columns * kPack<T>, columns, dy_point);
      }
      for (std::int64_t column = 0; column < columns; column += kPanelColumns) {
        const std::int64_t o = own_panels.begin * kPanelColumns + column;
        for (std::int64_t begin = 0; begin < channels; begin += kMaxRows) {
          const std::int64_t size = std::min(kMaxRows, channels - begin);
          for (std::int64_t point = 0; point < kTilePoints; ++point) {
            kernels.multiply(input + point * x_point + begin * kPack<T>, kPack<T>,
                             channels * kPack<T>, gradient + point * dy_point + column * kPack<T>,
                             columns * kPack<T>, count * rows * packs, size,
                             sums + point * sum_point);
          }
          const std::int64_t c = own_blocks.begin * kChannelBlock + begin;
          kernels.filter_gradient(sums, sum_point, size, (dy.channels - o) / kChannelBlock,
                                  dw + (o * x.channels + c) * 9, x.channels * 9,
                                  accumulate || first > 0);
        }
      }
    }
  });
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
