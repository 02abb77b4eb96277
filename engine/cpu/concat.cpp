// Joining and splitting along the channels. Blocked layouts hold whole blocks of channels in a row,
// so that they can be copied as they are.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/cpu_backend.h"

namespace cograd {
namespace {

/// True if pieces of `channels` channels begin at blocks of `layout`.
bool fit_blocks(Layout layout, std::span<const std::int64_t> channels) {
  const std::int64_t block = layout == Layout::blocked16 ? 16 : layout == Layout::blocked8 ? 8 : 0;
  return block > 0 && std::all_of(channels.begin(), channels.end() - 1,
                                  [=](std::int64_t c) { return c % block == 0; });
}

std::size_t row_bytes(const Tensor& x) { return x.bytes() / static_cast<std::size_t>(x.size(0)); }

/// Copies bytes [at, at + row_bytes(part)) of each row, one way or the other.
void copy_rows(const Tensor& whole, std::size_t at, const Tensor& part, bool to_part) {
  for (std::int64_t n = 0; n < whole.size(0); ++n) {
    std::byte* w = whole.raw() + static_cast<std::size_t>(n) * row_bytes(whole) + at;
    std::byte* p = part.raw() + static_cast<std::size_t>(n) * row_bytes(part);
    to_part ? std::memcpy(p, w, row_bytes(part)) : std::memcpy(w, p, row_bytes(part));
  }
}

}  // namespace

Tensor CpuBackend::concat(std::span<const Tensor> parts) {
  std::vector<std::int64_t> channels;
  for (const Tensor& part : parts) channels.push_back(part.size(1));
  const Tensor& first = parts.front();
  const Layout layout = fit_blocks(first.layout(), channels) ? first.layout() : Layout::row_major;
  const std::int64_t sum = std::accumulate(channels.begin(), channels.end(), std::int64_t{0});
  Tensor y = Tensor::empty({first.size(0), sum, first.size(2), first.size(3)}, first.dtype(), *this,
                           layout);
  std::size_t at = 0;
  for (const Tensor& part : parts) {
    const Tensor fitting = cpu::reordered(part, layout);
    copy_rows(y, at, fitting, false);
    at += row_bytes(fitting);
  }
  return y;
}

std::vector<Tensor> CpuBackend::split(const Tensor& x, std::span<const std::int64_t> channels) {
  const Tensor whole = fit_blocks(x.layout(), channels) ? x : x.row_major();
  std::vector<Tensor> parts;
  std::size_t at = 0;
  for (const std::int64_t c : channels) {
    parts.push_back(
        Tensor::empty({x.size(0), c, x.size(2), x.size(3)}, x.dtype(), *this, whole.layout()));
    copy_rows(whole, at, parts.back(), true);
    at += row_bytes(parts.back());
  }
  return parts;
}

}  // namespace cograd
