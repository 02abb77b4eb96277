// Joining and splitting along the channels.
#include "cograd/engine/cuda/cuda_backend.h"
#include "cograd/engine/cuda/launch.h"
#include "cograd/engine/cuda/layout.h"

namespace cograd {
namespace {

using namespace cuda;

template <class Word>
__global__ void copy_rows_kernel(std::int64_t rows, int width, int to_stride, int from_stride,
                                 const Word* from, Word* to) {
  for (std::int64_t i = thread_index(); i < rows * width; i += thread_count()) {
    const std::int64_t row = i / width, column = i % width;
    to[row * to_stride + column] = from[row * from_stride + column];
  }
}

/// Rows of `width` bytes at from[row * from_stride] to to[row * to_stride], in words as wide as all
/// of that allows.
void copy_rows(std::byte* to, std::int64_t to_stride, const std::byte* from,
               std::int64_t from_stride, std::int64_t width, std::int64_t rows) {
  const auto by = [&](auto word) {
    using Word = decltype(word);
    constexpr std::int64_t size = sizeof word;
    launch(Traffic{"concat"}.reads(rows * width).writes(rows * width), copy_rows_kernel<Word>,
           blocks_for(rows * width / size), kThreads, rows, static_cast<int>(width / size),
           static_cast<int>(to_stride / size), static_cast<int>(from_stride / size),
           reinterpret_cast<const Word*>(from), reinterpret_cast<Word*>(to));
  };
  const bool wide = (to_stride | from_stride | width) % 16 == 0 && aligned(to) && aligned(from);
  wide ? by(uint4{}) : by(std::uint16_t{});  // f32 too is made of those
}

}  // namespace

// Channels-last images are matrices [N H W, C], and their channels columns of it.
Tensor CudaBackend::concat(std::span<const Tensor> parts) {
  const Shape& first = parts.front().shape();
  std::int64_t channels = 0;
  for (const Tensor& part : parts) channels += part.size(1);
  Tensor y = empty_image({first[0], channels, first[2], first[3]}, parts.front().dtype(), *this);
  const auto size = static_cast<std::int64_t>(size_of(y.dtype())), stride = channels * size;
  std::byte* to = y.raw();
  for (const Tensor& part : parts) {
    const Tensor from = channels_last(part);
    const std::int64_t width = part.size(1) * size;
    copy_rows(to, stride, from.raw(), width, width, first[0] * first[2] * first[3]);
    to += width;
  }
  return y;
}

std::vector<Tensor> CudaBackend::split(const Tensor& x, std::span<const std::int64_t> channels) {
  const Tensor from = channels_last(x);
  const auto size = static_cast<std::int64_t>(size_of(x.dtype())), stride = x.size(1) * size;
  std::vector<Tensor> parts;
  const std::byte* begin = from.raw();
  for (std::int64_t c : channels) {
    Tensor part = empty_image({x.size(0), c, x.size(2), x.size(3)}, x.dtype(), *this);
    const std::int64_t width = c * size;
    copy_rows(part.raw(), width, begin, stride, width, x.size(0) * x.size(2) * x.size(3));
    begin += width;
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cograd
