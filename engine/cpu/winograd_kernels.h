// Steps of Winograd's algorithm, on the calling thread. Compiled once per instruction set.
#pragma once

#include <cstdint>

#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/cpu/simd/memory.h"

namespace cograd::cpu {

/// Points of a transformed tile, and outputs (two channel blocks) that are multiplied at a time.
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
/// neighbours as make 4 bytes lie next to each other (a pack).
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
  void (*matmul)(const T* a, std::int64_t a_row, std::int64_t a_column, const T* b,
                 std::int64_t b_row, std::int64_t depth, std::int64_t m, float* sums);
  /// y = A^T sums A + bias, sums [tiles, 32], at most two blocks.
  void (*output)(const float* sums, std::int64_t point, std::int64_t tiles, const float* bias,
                 const ImageBlocks<T>& y, std::int64_t top);
  /// dw (+)= G^T sums G, sums [rows, 32], for `rows` inputs, a multiple of 16, and `blocks` times
  /// 16 outputs, at most two, which are dw_row apart in dw.
  void (*weight_gradient)(const float* sums, std::int64_t point, std::int64_t rows,
                          std::int64_t blocks, float* dw, std::int64_t dw_row, bool accumulate);
};

COGRAD_FOR_EACH_INSTRUCTION_SET(extern const WinogradKernels<float> kWinogradF32;
                                extern const WinogradKernels<std::uint16_t> kWinogradBf16;)

}  // namespace cograd::cpu
