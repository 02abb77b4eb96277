// Counter-based random numbers.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "cograd/engine/host_device.h"

namespace cograd {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC
/// 2011): four 32-bit words for a 128-bit counter under a 64-bit key. Being a pure function of
/// (key, counter) it gives the same numbers whatever the order or number of threads.
COGRAD_HOST_DEVICE inline std::array<std::uint32_t, 4> philox4x32(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// A stream of random numbers: key = seed, upper counter half = stream, lower half = position.
/// Streams of one seed are independent; use one per purpose (initialization, shuffling of epoch e,
/// dropout of layer l at step s), so that adding a draw in one place changes no other.
class Random {
 public:
  COGRAD_HOST_DEVICE explicit Random(std::uint64_t seed, std::uint64_t stream = 0)
      : seed_(seed), stream_(stream) {}

  /// Uniform 32-bit word at `index` of the stream, without moving the position.
  std::uint32_t at(std::uint64_t index) const { return block(index / 4)[index % 4]; }
  /// The words at indices 4 index .. 4 index + 3.
  COGRAD_HOST_DEVICE std::array<std::uint32_t, 4> block(std::uint64_t index) const {
    return philox4x32(
        {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
         static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  }
  /// Next uniform 32-bit word.
  std::uint32_t next() {
    if (position_ / 4 != block_index_) {
      block_index_ = position_ / 4;
      block_ = block(block_index_);
    }
    return block_[position_++ % 4];
  }
  /// Uniform in [0, 1), 24 bits.
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * (next() * 0x1p-32); }
  /// Uniform integer in [0, n), without modulo bias (Lemire's rejection). Needs 1 <= n <= 2^32.
  std::uint64_t below(std::uint64_t n) {
    std::uint64_t product = std::uint64_t{next()} * n;
    const std::uint64_t threshold = ((std::uint64_t{1} << 32) - n) % n;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * n;
    return product >> 32;
  }
  /// Standard normal (Box-Muller on two uniforms).
  double normal() {
    const double u = (next() + 1.0) * 0x1p-32;  // in (0, 1]: the logarithm stays finite
    const double v = next() * 0x1p-32;
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

  std::uint64_t seed() const { return seed_; }
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  std::uint64_t block_index_ = ~std::uint64_t{0};  // of block_, the words drawn from last
  std::array<std::uint32_t, 4> block_{};
};

/// Fisher-Yates shuffle of [first, last) driven by `random`.
template <class Iterator>
void shuffle(Iterator first, Iterator last, Random& random) {
  using std::swap;
  for (auto n = last - first; n > 1; --n) {
    swap(first[n - 1],
         first[static_cast<decltype(n)>(random.below(static_cast<std::uint64_t>(n)))]);
  }
}

}  // namespace cograd
