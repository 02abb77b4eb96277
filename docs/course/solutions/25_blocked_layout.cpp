#include <cstdint>

struct ImageShape {
  std::int64_t n, c, h, w;
};

inline std::int64_t blocks_of(const ImageShape& s) { return (s.c + 15) / 16; }

/// The place of element (n, c, h, w) in nChw16c.
inline std::int64_t blocked_offset(const ImageShape& s, std::int64_t n, std::int64_t c,
                                   std::int64_t h, std::int64_t w) {
  return (((n * blocks_of(s) + c / 16) * s.h + h) * s.w + w) * 16 + c % 16;
}

/// The number of places, those that fill up the last block included.
inline std::int64_t blocked_size(const ImageShape& s) {
  return s.n * blocks_of(s) * s.h * s.w * 16;
}
