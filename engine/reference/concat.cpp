// Joining and splitting along the channels.
#include <cstring>

#include "cograd/engine/reference/reference_backend.h"

namespace cograd {
namespace {

/// Copies `count` contiguous runs between tensors whose rows hold `stride` bytes.
void copy_runs(std::byte* to, std::size_t to_stride, const std::byte* from, std::size_t from_stride,
               std::size_t run, std::int64_t count) {
  for (std::int64_t n = 0; n < count; ++n, to += to_stride, from += from_stride) {
    std::memcpy(to, from, run);
  }
}

/// Bytes of one row (the outermost axis) of x.
std::size_t row_bytes(const Tensor& x) {
  return static_cast<std::size_t>(x.shape().inner().numel()) * size_of(x.dtype());
}

}  // namespace

Tensor ReferenceBackend::concat(std::span<const Tensor> parts) {
  const Shape& first = parts.front().shape();
  std::int64_t channels = 0;
  for (const Tensor& part : parts) channels += part.size(1);
  Tensor y = Tensor::empty({first[0], channels, first[2], first[3]}, parts.front().dtype(), *this);
  std::byte* to = y.raw();
  for (const Tensor& part : parts) {
    copy_runs(to, row_bytes(y), part.raw(), row_bytes(part), row_bytes(part), first[0]);
    to += row_bytes(part);
  }
  return y;
}

std::vector<Tensor> ReferenceBackend::split(const Tensor& x,
                                            std::span<const std::int64_t> channels) {
  std::vector<Tensor> parts;
  const std::byte* from = x.raw();
  for (std::int64_t c : channels) {
    Tensor part = Tensor::empty({x.size(0), c, x.size(2), x.size(3)}, x.dtype(), *this);
    copy_runs(part.raw(), row_bytes(part), from, row_bytes(x), row_bytes(part), x.size(0));
    from += row_bytes(part);
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cograd
