// 3x3 convolutions by Winograd's minimal filtering algorithm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "cograd/engine/backend.h"

// Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, F(2x2, 3x3): for
// tiles of 4x4 pixels d that yield 2x2 outputs,
//
//   Y = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A
//   B^T = 1  0 -1  0     G = 1    0    0      A^T = 1  1  1  0
//         0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
//         0 -1  1  0         1/2 -1/2  1/2
//         0  1  0 -1         0    0    1
//
// with * element by element: 16 multiplications for what takes 36 directly. For each of the 16
// points that is a product of matrices, [tiles, channels] by [channels, outputs]. The gradient of
// the data is the same convolution with the filters turned; that of the filters is the transpose
// of the above, dg = G^T [ sum over tiles of (B^T d B) * (A dY A^T) ] G.
namespace cograd::cpu {

/// Images of f32, or bf16 as its bits, whose channels lie in blocks of 16 neighbours. `image`,
/// `block` and `pixel` are the elements from one to the next; rows of pixels follow each other.
template <class T>
struct Images {
  T* data;
  std::int64_t count, channels, height, width;
  std::int64_t image, block, pixel;
};

/// Channels of a block, which is transformed or written at a time.
inline constexpr std::int64_t kChannelBlock = 16;

/// Returns `bytes` of working memory, aligned to a cache line; called once per call.
using Workspace = std::function<std::byte*(std::int64_t bytes)>;

/// Where a 3x3 filter lies that leads from input channel i to output channel o: w + o * output + i
/// * input. `turned` by half a turn, for the gradient of the data.
struct Filters {
  const float* w;
  std::int64_t output, input;
  bool turned;
};

/// y = x * filters + bias, with stride 1 and `padding` zeros around x; bias [channels of y] or
/// null. Both have a multiple of 16 channels, y the size that follows from x. Transformed numbers
/// are rounded to T; products of bf16 are added up in f32.
///
/// On all threads. Results depend neither on their number nor on the other images. They may differ
/// between instruction sets, as matmul()'s do.
template <class T>
void winograd_convolution(const Images<const T>& x, const Filters& filters, const float* bias,
                          Pair padding, const Images<T>& y, const Workspace& workspace);

/// dw [channels of dy, channels of x, 3, 3] (+)= the gradient of the filters of y = x * w.
template <class T>
void winograd_weight_gradient(const Images<const T>& x, const Images<const T>& dy, Pair padding,
                              float* dw, bool accumulate, const Workspace& workspace);

}  // namespace cograd::cpu
