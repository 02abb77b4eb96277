#include <bit>
#include <cstdint>

/// The bits of the bf16 nearest to x; of two equally near, the one whose last bit is 0.
inline std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  const std::uint32_t last_kept = bits >> 16 & 1;
  return static_cast<std::uint16_t>((bits + 0x7fff + last_kept) >> 16);
}
