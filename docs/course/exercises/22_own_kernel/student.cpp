#include <algorithm>
#include <cmath>
#include <cstdint>

/// out[i] = the median of stack[i], stack[n + i] and stack[2 n + i]; NaN if one of them is.
inline void median_of_3(const float* stack, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    float x[] = {stack[i], stack[n + i], stack[2 * n + i]};
    const bool nan = std::isnan(x[0]) || std::isnan(x[1]) || std::isnan(x[2]);
    std::sort(x, x + 3);  // yours: without it
    out[i] = nan ? NAN : x[1];
  }
}
