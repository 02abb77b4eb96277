// The table of vector loops that each instruction set provides. Plain data and plain pointers only:
// the kernels may call no inline function from here, which the linker would merge across
// instruction sets.
#pragma once

#include <cstdint>

#include "engine/aggregation/order_statistics.h"
#include "engine/simd/pixels.h"
#include "engine/simd/product.h"

namespace cograd::simd {

/// Coordinates that a reduction works on at a time: K rows of a tile stay in the first-level cache.
inline constexpr std::int64_t kTile = 64;

/// What buffers that kernels work in are made of.
struct alignas(64) CacheLine {
  float values[16];
};

/// A reduction of K values, prepared once for all coordinates.
struct ReductionPlan {
  std::int64_t k;
  OrderedSum sum;
  const Comparator* network;  ///< of selection_network()
  std::int64_t network_size;
};

/// Sums over a range of coordinates.
struct NormSums {
  double squared_sum;  ///< of (sum_k x_k)^2
  double sum_squared;  ///< of sum_k x_k^2
};

/// One block of neighbouring channels of one image: `pixels` times `lanes` (8 or 16) elements; the
/// next pixel lies `stride` elements on.
struct ChannelBlock {
  std::int64_t pixels, lanes, stride;
};

/// Per channel of a block, z = scale (x - mean) + shift; `lanes` floats each.
struct Normalization {
  float mean[16], scale[16], shift[16];
};

/// Loops over activations, f32 or bf16 (as its bits). Element by element first, where outputs may
/// be inputs; then the sweeps of batch norm over one ChannelBlock, with `relu` where one follows.
template <class T>
struct ActivationKernels {
  void (*add)(const T* a, const T* b, T* out, std::int64_t n);
  void (*relu)(const T* x, T* y, std::int64_t n);
  void (*relu_backward)(const T* y, const T* dy, T* dx, std::int64_t n);

  void (*sums)(ChannelBlock block, const T* x, float* sums);
  /// The mean of x, and the sum of (x - mean)^2, per channel.
  void (*moments)(ChannelBlock block, const T* x, float* mean, float* squares);
  /// y = z, + residual if that is not null, and the ReLU.
  void (*normalize)(ChannelBlock block, const Normalization& how, const T* x, const T* residual,
                    T* y, bool relu);
  /// sum dz and sum dz (x - mean). dz is dy where y > 0, which is written to `dz` (may be dy) if y
  /// is not null; else where z > 0, with `relu`, or just dy.
  void (*gradient_sums)(ChannelBlock block, const Normalization& how, const T* x, const T* y,
                        const T* dy, T* dz, bool relu, float* sum, float* sum_centered);
  /// dx = scale dz - a - b (x - mean), over dy if that is dx; dz as dy where z > 0, with `relu`, or
  /// just dy.
  void (*data_gradient)(ChannelBlock block, const Normalization& how, const float* a,
                        const float* b, const T* x, const T* dy, T* dx, bool relu);
};

/// One panel of columns of a product.
struct ProductKernel {
  std::int64_t columns;  ///< of a panel
  std::int64_t rows;     ///< that are multiplied with a panel at a time
  std::int64_t buffer;   ///< floats that multiply_panel needs to work in
  void (*multiply_panel)(const Product& product, std::int64_t panel, float* buffer);
};

/// Neighbours in a sum that are multiplied at once: bf16 goes in pairs, side by side in memory.
template <class T>
inline constexpr int kPack = 4 / static_cast<int>(sizeof(T));

/// Of a tile of Winograd's algorithm F(2x2, 3x3), and the outputs (two channel blocks) that are
/// multiplied at a time.
inline constexpr int kTilePoints = 16;
inline constexpr std::int64_t kPanelColumns = 32;

/// One image, or some of its channels, as Images in winograd.h.
template <class T>
struct ImageBlocks {
  T* data;
  std::int64_t height, width;
  std::int64_t blocks;
  std::int64_t block, pixel;
};

/// Steps of Winograd's algorithm, as named in winograd.h, on images of T. A row of tiles has its
/// first input pixel at (top, left) or its first output at (top, 0). Transformed numbers lie in 16
/// matrices, `point` numbers apart; where they are summed up over tiles or inputs, as many
/// neighbours as make 4 bytes lie side by side (a pack).
template <class T>
struct WinogradKernels {
  /// B^T d B, out [tiles, channels].
  void (*input)(const ImageBlocks<const T>& x, std::int64_t top, std::int64_t left,
                std::int64_t tiles, T* out, std::int64_t point);
  /// The same, and A dY A^T, out [packs of tiles, row, pack].
  void (*packed_input)(const ImageBlocks<const T>& x, std::int64_t top, std::int64_t left,
                       std::int64_t tiles, T* out, std::int64_t row, std::int64_t point);
  void (*output_gradient)(const ImageBlocks<const T>& dy, std::int64_t top, std::int64_t tiles,
                          T* out, std::int64_t row, std::int64_t point);
  /// G g G^T for one pack of inputs and 32 outputs, out [32, pack]: of `blocks` times 16, zeros for
  /// the others.
  void (*filters)(const float* w, std::int64_t output, std::int64_t input, bool turned,
                  std::int64_t blocks, T* out, std::int64_t point);
  /// sums [m, 32] = a [m, depth] b [depth, 32], of packs that lie a_column and b_row elements
  /// apart.
  void (*multiply)(const T* a, std::int64_t a_row, std::int64_t a_column, const T* b,
                   std::int64_t b_row, std::int64_t depth, std::int64_t m, float* sums);
  /// y = A^T sums A + bias, sums [tiles, 32], at most two blocks.
  void (*output)(const float* sums, std::int64_t point, std::int64_t tiles, const float* bias,
                 const ImageBlocks<T>& y, std::int64_t top);
  /// dw (+)= G^T sums G, sums [rows, 32], for `rows` inputs, a multiple of 16, and `blocks` times
  /// 16 outputs, at most two, which are dw_row apart in dw.
  void (*filter_gradient)(const float* sums, std::int64_t point, std::int64_t rows,
                          std::int64_t blocks, float* dw, std::int64_t dw_row, bool accumulate);
};

/// All loops run on one thread, over n elements; where the same buffer is named twice, element by
/// element, that is in place.
struct Kernels {
  void (*to_bf16)(const float* x, std::uint16_t* y, std::int64_t n);
  void (*to_f32)(const std::uint16_t* x, float* y, std::int64_t n);
  void (*decayed_gradient)(const float* g, const float* p, float weight_decay, float* out,
                           std::int64_t n);
  void (*sgd)(float* p, const float* g, float learning_rate, float weight_decay, std::int64_t n);
  void (*sgd_momentum)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  void (*sgd_nesterov)(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                       float momentum, std::int64_t n);
  void (*weighted_rows)(const std::uint8_t* x, std::int64_t stride, const float* weights,
                        std::int64_t k, float* out, std::int64_t n);
  void (*weighted_pixels)(const PixelSums& sums, const float* row, float* out, std::int64_t plane);
  /// out[i] from x[k * stride + i]. `scratch` holds k * kTile floats, aligned to a cache line.
  /// `norms` may be null.
  void (*reduce)(const ReductionPlan& plan, const float* x, std::int64_t stride, std::int64_t n,
                 float* out, float* scratch, NormSums* norms);
  /// out[r * out_row + j] from x[k * stride + r * kTile + j], as reduce(), for r < rows and j <
  /// width. x has zeros from there to kTile.
  void (*reduce_rows)(const ReductionPlan& plan, const float* x, std::int64_t stride,
                      std::int64_t rows, std::int64_t width, float* out, std::int64_t out_row,
                      float* scratch, NormSums* norms);
  /// out[i] from a[k * a_stride] * x[k * stride + i], as reduce().
  void (*reduce_outer_products)(const ReductionPlan& plan, const float* a, std::int64_t a_stride,
                                const float* x, std::int64_t stride, std::int64_t n, float* out,
                                float* scratch, NormSums* norms);
  const ActivationKernels<float>* f32;
  const ActivationKernels<std::uint16_t>* bf16;
  const ProductKernel* product;
  const WinogradKernels<float>* winograd_f32;
  const WinogradKernels<std::uint16_t>* winograd_bf16;
};

/// The table for the instruction set in force.
const Kernels& kernels();
template <class T>
const ActivationKernels<T>& activation_kernels() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return *kernels().f32;
  } else {
    return *kernels().bf16;
  }
}

template <class T>
const WinogradKernels<T>& winograd_kernels() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return *kernels().winograd_f32;
  } else {
    return *kernels().winograd_bf16;
  }
}

#define COGRAD_SIMD_TABLES(name)                             \
  namespace name {                                           \
  extern const Kernels kKernels;                             \
  extern const ActivationKernels<float> kF32;                \
  extern const ActivationKernels<std::uint16_t> kBf16;       \
  extern const ProductKernel kProduct;                       \
  extern const WinogradKernels<float> kWinogradF32;          \
  extern const WinogradKernels<std::uint16_t> kWinogradBf16; \
  }
COGRAD_SIMD_TABLES(simd_baseline)
COGRAD_SIMD_TABLES(simd_avx2)
COGRAD_SIMD_TABLES(simd_avx512)
COGRAD_SIMD_TABLES(simd_avx512_bf16)
#undef COGRAD_SIMD_TABLES

}  // namespace cograd::simd
