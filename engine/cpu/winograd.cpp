#include "cograd/engine/cpu/winograd.h"

#include <algorithm>

#include "cograd/engine/cpu/winograd_kernels.h"
#include "cograd/engine/threads.h"

namespace cograd::cpu {
namespace {

using simd::kPack;

template <class T>
const WinogradKernels<T>& winograd_kernels() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return COGRAD_TABLE_IN_FORCE(kWinogradF32);
  } else {
    return COGRAD_TABLE_IN_FORCE(kWinogradBf16);
  }
}

constexpr std::int64_t kMaxTiles = 64;  // of a piece: its inputs and sums stay in the cache
// Transformed numbers of both factors of a weight gradient: they stay in the last-level cache.
constexpr std::int64_t kPieceBytes = 2 << 20;
constexpr std::int64_t kMaxRows = 64;  // of a weight gradient's products at a time

/// Gap between the matrices of neighbouring points. Without it their distance would often be a
/// power of two, and the 16 places of a tile would fall into the same sets of the caches.
template <class T>
constexpr std::int64_t kSkew = 64 / sizeof(T);

std::int64_t pieces_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// Work of `rows` by `columns`, shared out to threads as a grid. Each thread transforms the inputs
/// of its own part, though neighbours transform some of the same: recomputing a number is faster
/// than reading it from another core's cache. So the grid is chosen whose parts have the fewest
/// rows plus columns.
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

/// A convolution in parts for threads. A part's working memory holds transformed filters,
/// transformed inputs and sums: 16 matrices each, `..._point_` numbers apart.
template <class T>
class Convolution {
 public:
  Convolution(const Images<const T>& x, const Filters& filters, const float* bias, Pair padding,
              const Images<T>& y)
      : x_(x),
        y_(y),
        filters_(filters),
        bias_(bias),
        padding_(padding),
        rows_(pieces_of(y.height, 2)),
        tiles_(pieces_of(y.width, 2)),
        panels_(pieces_of(y.channels, kPanelColumns)),
        grid_(thread_count(), y.count * rows_ * tiles_, y.count * rows_, y.channels, panels_),
        piece_(std::min(std::max<std::int64_t>(1, kMaxTiles / tiles_),
                        pieces_of(y.count * rows_, grid_.down))),
        most_panels_(pieces_of(panels_, grid_.across)),
        filter_point_(x.channels * kPanelColumns + kSkew<T>),
        input_point_(piece_ * tiles_ * x.channels + kSkew<T>),
        sum_point_(piece_ * tiles_ * kPanelColumns) {}

  std::int64_t parts() const { return grid_.count(); }
  /// Of one part's working memory.
  std::int64_t bytes() const {
    return kTilePoints * ((most_panels_ * filter_point_ + input_point_) * std::int64_t{sizeof(T)} +
                          sum_point_ * std::int64_t{sizeof(float)});
  }

  void run(std::int64_t part, std::byte* memory) const {
    const Part rows(y_.count * rows_, grid_.down, part / grid_.across);
    const Part panels(panels_, grid_.across, part % grid_.across);
    T* const filter = reinterpret_cast<T*>(memory);
    T* const input = filter + kTilePoints * most_panels_ * filter_point_;
    float* const sums = reinterpret_cast<float*>(input + kTilePoints * input_point_);
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      transform_filters(panel, filter + (panel - panels.begin) * kTilePoints * filter_point_);
    }
    for (std::int64_t begin = rows.begin; begin < rows.end; begin += piece_) {
      const std::int64_t end = std::min(begin + piece_, rows.end);
      transform_input(begin, end, input);
      for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
        multiply(input, filter + (panel - panels.begin) * kTilePoints * filter_point_,
                 (end - begin) * tiles_, sums);
        transform_output(begin, end, panel, sums);
      }
    }
  }

 private:
  void transform_filters(std::int64_t panel, T* to) const {
    const std::int64_t o = panel * kPanelColumns;
    for (std::int64_t c = 0; c < x_.channels; c += kPack<T>) {
      kernels_.filters(filters_.w + o * filters_.output + c * filters_.input, filters_.output,
                       filters_.input, filters_.turned, (y_.channels - o) / kChannelBlock,
                       to + c * kPanelColumns, filter_point_);
    }
  }
  /// Rows [begin, end) of tiles, counted over all images.
  void transform_input(std::int64_t begin, std::int64_t end, T* to) const {
    for (std::int64_t row = begin; row < end; ++row) {
      kernels_.input(blocks_of(x_, row / rows_, 0, x_.channels / kChannelBlock),
                     row % rows_ * 2 - padding_[0], -padding_[1], tiles_,
                     to + (row - begin) * tiles_ * x_.channels, input_point_);
    }
  }
  void multiply(const T* input, const T* filter, std::int64_t tiles, float* sums) const {
    for (std::int64_t point = 0; point < kTilePoints; ++point) {
      kernels_.matmul(input + point * input_point_, x_.channels, kPack<T>,
                      filter + point * filter_point_, kPanelColumns * kPack<T>,
                      x_.channels / kPack<T>, tiles, sums + point * sum_point_);
    }
  }
  void transform_output(std::int64_t begin, std::int64_t end, std::int64_t panel,
                        const float* sums) const {
    const std::int64_t block = panel * kPanelColumns / kChannelBlock;
    const std::int64_t count = std::min<std::int64_t>(2, y_.channels / kChannelBlock - block);
    for (std::int64_t row = begin; row < end; ++row) {
      kernels_.output(sums + (row - begin) * tiles_ * kPanelColumns, sum_point_, tiles_,
                      bias_ == nullptr ? nullptr : bias_ + panel * kPanelColumns,
                      blocks_of(y_, row / rows_, block, count), row % rows_ * 2);
    }
  }

  const WinogradKernels<T>& kernels_ = winograd_kernels<T>();
  const Images<const T>& x_;
  const Images<T>& y_;
  const Filters& filters_;
  const float* bias_;
  Pair padding_;
  std::int64_t rows_, tiles_;  // rows of tiles in an image, tiles in a row
  std::int64_t panels_;
  Grid grid_;
  std::int64_t piece_;  // rows of tiles at a time
  std::int64_t most_panels_;
  std::int64_t filter_point_, input_point_, sum_point_;
};

/// The gradient of the filters, in parts for threads. A part's working memory holds the transformed
/// x and dy of some images, and sums, as in Convolution.
template <class T>
class WeightGradient {
 public:
  WeightGradient(const Images<const T>& x, const Images<const T>& dy, Pair padding, float* dw,
                 bool accumulate)
      : x_(x),
        dy_(dy),
        padding_(padding),
        dw_(dw),
        accumulate_(accumulate),
        rows_(pieces_of(dy.height, 2)),
        tiles_(pieces_of(dy.width, 2)),
        packs_(pieces_of(tiles_, kPack<T>)),
        blocks_(x.channels / kChannelBlock),
        panels_(pieces_of(dy.channels, kPanelColumns)),
        grid_(thread_count(), x.channels, blocks_, dy.channels, panels_),
        images_(std::clamp(kPieceBytes / image_bytes(), std::int64_t{1}, x.count)),
        x_point_(depth() * most_rows() * kPack<T> + kSkew<T>),
        dy_point_(depth() * most_columns() * kPack<T> + kSkew<T>),
        sum_point_(std::min(kMaxRows, most_rows()) * kPanelColumns) {}

  std::int64_t parts() const { return grid_.count(); }
  /// Of one part's working memory.
  std::int64_t bytes() const {
    return kTilePoints * ((x_point_ + dy_point_) * std::int64_t{sizeof(T)} +
                          sum_point_ * std::int64_t{sizeof(float)});
  }

  void run(std::int64_t part, std::byte* memory) const {
    const Part blocks(blocks_, grid_.down, part / grid_.across);
    const Part panels(panels_, grid_.across, part % grid_.across);
    T* const input = reinterpret_cast<T*>(memory);
    T* const gradient = input + kTilePoints * x_point_;
    float* const sums = reinterpret_cast<float*>(gradient + kTilePoints * dy_point_);
    for (std::int64_t first = 0; first < x_.count; first += images_) {
      const std::int64_t rows = std::min(images_, x_.count - first) * rows_;
      transform(first, rows, blocks, panels, input, gradient);
      multiply(rows * packs_, blocks, panels, input, gradient, sums, accumulate_ || first > 0);
    }
  }

 private:
  std::int64_t image_bytes() const {
    return kTilePoints * rows_ * packs_ * (x_.channels + panels_ * kPanelColumns) * 4;
  }
  /// Packs of tiles that a product adds up at most.
  std::int64_t depth() const { return images_ * rows_ * packs_; }
  /// Of a part's products.
  std::int64_t most_rows() const { return pieces_of(blocks_, grid_.down) * kChannelBlock; }
  std::int64_t most_columns() const { return pieces_of(panels_, grid_.across) * kPanelColumns; }

  /// `rows` rows of tiles, from image `first` on.
  void transform(std::int64_t first, std::int64_t rows, Part blocks, Part panels, T* input,
                 T* gradient) const {
    const std::int64_t channels = blocks.size() * kChannelBlock;
    const std::int64_t columns = panels.size() * kPanelColumns;
    const std::int64_t first_block = panels.begin * kPanelColumns / kChannelBlock;
    const std::int64_t block_count =
        std::min(columns, dy_.channels - panels.begin * kPanelColumns) / kChannelBlock;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t image = first + row / rows_, top = row % rows_ * 2;
      kernels_.packed_input(blocks_of(x_, image, blocks.begin, blocks.size()), top - padding_[0],
                            -padding_[1], tiles_, input + row * packs_ * channels * kPack<T>,
                            channels, x_point_);
      kernels_.output_gradient(blocks_of(dy_, image, first_block, block_count), top, tiles_,
                               gradient + row * packs_ * columns * kPack<T>, columns, dy_point_);
    }
  }

  /// dw (+)= G^T sums G with the products over `depth` packs of tiles.
  void multiply(std::int64_t depth, Part blocks, Part panels, const T* input, const T* gradient,
                float* sums, bool accumulate) const {
    const std::int64_t channels = blocks.size() * kChannelBlock;
    const std::int64_t columns = panels.size() * kPanelColumns;
    for (std::int64_t column = 0; column < columns; column += kPanelColumns) {
      const std::int64_t o = panels.begin * kPanelColumns + column;
      for (std::int64_t begin = 0; begin < channels; begin += kMaxRows) {
        const std::int64_t size = std::min(kMaxRows, channels - begin);
        for (std::int64_t point = 0; point < kTilePoints; ++point) {
          kernels_.matmul(input + point * x_point_ + begin * kPack<T>, kPack<T>,
                          channels * kPack<T>, gradient + point * dy_point_ + column * kPack<T>,
                          columns * kPack<T>, depth, size, sums + point * sum_point_);
        }
        const std::int64_t c = blocks.begin * kChannelBlock + begin;
        kernels_.weight_gradient(sums, sum_point_, size, (dy_.channels - o) / kChannelBlock,
                                 dw_ + (o * x_.channels + c) * 9, x_.channels * 9, accumulate);
      }
    }
  }

  const WinogradKernels<T>& kernels_ = winograd_kernels<T>();
  const Images<const T>&x_, &dy_;
  Pair padding_;
  float* dw_;
  bool accumulate_;
  std::int64_t rows_, tiles_, packs_;  // rows of tiles in an image, tiles and packs in a row
  std::int64_t blocks_, panels_;
  Grid grid_;
  std::int64_t images_;  // at a time; on any number of threads the same: it orders the additions
  std::int64_t x_point_, dy_point_, sum_point_;
};

/// All parts of `work`, each on its thread.
template <class Work>
void run_all(const Work& work, const Workspace& workspace) {
  std::byte* const memory = workspace(work.parts() * work.bytes());
  parallel(work.parts(), [&](std::int64_t part) { work.run(part, memory + part * work.bytes()); });
}

}  // namespace

template <class T>
void winograd_convolution(const Images<const T>& x, const Filters& filters, const float* bias,
                          Pair padding, const Images<T>& y, const Workspace& workspace) {
  run_all(Convolution<T>(x, filters, bias, padding, y), workspace);
}

template <class T>
void winograd_weight_gradient(const Images<const T>& x, const Images<const T>& dy, Pair padding,
                              float* dw,  // NOLINT(readability-non-const-parameter)
                              bool accumulate, const Workspace& workspace) {
  run_all(WeightGradient<T>(x, dy, padding, dw, accumulate), workspace);
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

}  // namespace cograd::cpu
