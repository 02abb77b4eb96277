#include <cmath>
#include <cstdint>

/// out[i] = the median of stack[i], stack[n + i] and stack[2 n + i]; NaN if one of them is.
inline void median_of_3(const float* __restrict stack, std::int64_t n, float* __restrict out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float a = stack[i], b = stack[n + i], c = stack[2 * n + i];
    const float low = a < b ? a : b, high = a < b ? b : a;
    const float upper = high < c ? high : c;
    const float median = low < upper ? upper : low;
    const bool nan = (a != a) | (b != b) | (c != c);
    out[i] = nan ? NAN : median;
  }
}
