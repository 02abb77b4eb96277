#include <cstdint>

struct ImageShape {
  std::int64_t n, c, h, w;
};

/// The place of element (n, c, h, w) in nChw16c.
inline std::int64_t blocked_offset(const ImageShape& s, std::int64_t n, std::int64_t c,
                                   std::int64_t h, std::int64_t w) {
  return ((n * s.c + c) * s.h + h) * s.w + w;  // yours: this is row-major
}

/// The number of places, those that fill up the last block included.
inline std::int64_t blocked_size(const ImageShape& s) {
  return s.n * s.c * s.h * s.w;  // yours
}
