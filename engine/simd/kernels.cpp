// The vector loops. Compiled once per instruction set, each time with another name for
// COGRAD_SIMD_NAMESPACE; plain loops, so that the compiler vectorizes them for any machine.
#include "engine/simd/kernels.h"

#include <algorithm>
#include <cstring>

#include "engine/simd/lanes.h"

namespace cograd::simd::COGRAD_SIMD_NAMESPACE {
namespace {

// --- elements ------------------------------------------------------------------------------------

template <class From, class To>
void convert(const From* x, To* y, std::int64_t n) {
  for_each_vector(n,
                  [=](auto lanes, std::int64_t i) { store<lanes()>(y + i, load<lanes()>(x + i)); });
}

void decayed_gradient(const float* g, const float* p, float weight_decay, float* out,
                      std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = g[i] + weight_decay * p[i];
}

void sgd(float* p, const float* g, float learning_rate, float weight_decay, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) p[i] -= learning_rate * (g[i] + weight_decay * p[i]);
}

template <bool kNesterov>
void sgd_momentum(float* p, const float* g, float* v, float learning_rate, float weight_decay,
                  float momentum, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const float d = g[i] + weight_decay * p[i];
    v[i] = momentum * v[i] + d;
    p[i] -= learning_rate * (kNesterov ? d + momentum * v[i] : v[i]);
  }
}

/// kRows rows in one sweep: the sums stay in registers.
template <int kRows, bool kAdd>
void add_rows(const std::uint8_t* __restrict x, std::int64_t stride, const float* weights,
              float* __restrict out, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    float sum = kAdd ? out[i] : 0.0f;
    for (int r = 0; r < kRows; ++r) sum += weights[r] * static_cast<float>(x[r * stride + i]);
    out[i] = sum;
  }
}

void weighted_rows(const std::uint8_t* x, std::int64_t stride, const float* weights, std::int64_t k,
                   float* out, std::int64_t n) {
  const auto first = k == 1   ? add_rows<1, false>
                     : k == 2 ? add_rows<2, false>
                     : k == 3 ? add_rows<3, false>
                              : add_rows<4, false>;
  first(x, stride, weights, out, n);
  std::int64_t row = 4;
  for (; row + 4 <= k; row += 4) add_rows<4, true>(x + row * stride, stride, weights + row, out, n);
  for (; row < k; ++row) add_rows<1, true>(x + row * stride, stride, weights + row, out, n);
}

using Pixel = float __attribute__((vector_size(16), aligned(4), may_alias));
using FourPixels = float __attribute__((vector_size(64), aligned(4), may_alias));

FourPixels four_pixels(const float* a, const float* b, const float* c, const float* d) {
  const auto load = [](const float* from) { return *reinterpret_cast<const Pixel*>(from); };
  const auto pair = [&](const float* x, const float* y) {
    return __builtin_shufflevector(load(x), load(y), 0, 1, 2, 3, 4, 5, 6, 7);
  };
  return __builtin_shufflevector(pair(a, b), pair(c, d), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                 13, 14, 15);
}

/// kCount: the pixels of an output, where the compiler is to know their number; else 0.
template <int kCount>
void add_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane) {
  const std::int64_t count = kCount > 0 ? kCount : sums.count;
  const auto each = [](const float(&c)[3]) {
    return FourPixels{c[0], c[0], c[0], c[0], c[1], c[1], c[1], c[1], c[2], c[2], c[2], c[2]};
  };
  const FourPixels scale = each(sums.scale), shift = each(sums.shift);
  const float* weights = sums.weights;
  for (std::int64_t i = 0; i < sums.outputs; i += 4) {
    const auto from = [&](std::int64_t j) { return row + 4 * sums.first[i + j]; };
    const float *a = from(0), *b = from(1), *c = from(2), *d = from(3);
    FourPixels sum{};
    for (std::int64_t k = 0; k < count; ++k, weights += 16) {
      sum += *reinterpret_cast<const FourPixels*>(weights) *
             four_pixels(a + 4 * k, b + 4 * k, c + 4 * k, d + 4 * k);
    }
    sum = __builtin_shufflevector(sum, sum, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    sum = sum * scale + shift;
    const std::int64_t wanted = std::min<std::int64_t>(4, sums.outputs - i);
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      float four[4];
      for (std::int64_t j = 0; j < 4; ++j) four[j] = sum[4 * channel + j];
      float* to = out + channel * plane + i;
      if (wanted == 4) {
        std::memcpy(to, four, sizeof four);
      } else {
        std::copy_n(four, wanted, to);
      }
    }
  }
}

void weighted_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane) {
  const auto add = sums.count == 3   ? add_pixels<3>
                   : sums.count == 4 ? add_pixels<4>
                   : sums.count == 5 ? add_pixels<5>
                                     : add_pixels<0>;
  add(sums, row, out, plane);
}

// --- reductions, one tile of coordinates at a time -----------------------------------------------

constexpr int kUnrolled = 16;

/// Sums over the coordinates of a range, per lane, so that the order of the additions is the same
/// for every vector width.
struct LaneSums {
  double squared_sum[kTile];
  double sum_squared[kTile];
};

/// A few values: all of them in registers, the network unrolled.
template <bool kNorms, int Trim, int... Row>
[[gnu::flatten]] void trimmed_tile(const float* __restrict x, std::int64_t stride,
                                   float* __restrict out, LaneSums& __restrict lanes,
                                   std::integer_sequence<int, Row...>) {
  for (std::int64_t i = 0; i < kTile; ++i) {
    float values[] = {x[Row * stride + i]...};
    if constexpr (kNorms) {
      double sum = 0;
      double square = 0;
      ((sum += values[Row], square += static_cast<double>(values[Row]) * values[Row]), ...);
      lanes.squared_sum[i] += sum * sum;
      lanes.sum_squared[i] += square;
    }
    out[i] = trimmed_mean<Trim>(values);
  }
}

using TrimmedTile = void (*)(const float* x, std::int64_t stride, float* out, LaneSums& lanes);

template <bool kNorms, int K, int Trim>
void trimmed_tile(const float* x, std::int64_t stride, float* out, LaneSums& lanes) {
  trimmed_tile<kNorms, Trim>(x, stride, out, lanes, std::make_integer_sequence<int, K>{});
}

/// The unrolled loop for a reduction, if it has one: medians of up to 16, means and trimmed means
/// of up to 9.
template <bool kNorms, int K = 3, int Trim = 0>
TrimmedTile find_trimmed_tile(const ReductionPlan& plan) {
  const OrderedSum& sum = plan.sum;
  if (plan.k == K && sum.first == Trim && sum.last == K - 1 - Trim && sum.below + sum.above == 0) {
    return trimmed_tile<kNorms, K, Trim>;
  }
  if constexpr (2 * Trim + 2 < K) {
    return find_trimmed_tile<kNorms, K, Trim + 1>(plan);
  } else if constexpr (K < kUnrolled) {
    return find_trimmed_tile < kNorms, K + 1, K < 9 ? 0 : K / 2 > (plan);
  } else {
    return nullptr;
  }
}

template <int... Row>
void add_rows(const float* __restrict x, std::int64_t stride, double* __restrict sum,
              double* __restrict square, std::integer_sequence<int, Row...>) {
  for (std::int64_t i = 0; i < kTile; ++i) {
    double total = sum[i];
    double total_square = square[i];
    ((total += x[Row * stride + i],
      total_square += static_cast<double>(x[Row * stride + i]) * x[Row * stride + i]),
     ...);
    sum[i] = total;
    square[i] = total_square;
  }
}

/// The sum over the rows, and the norms.
void sum_tile(std::int64_t count, const float* x, std::int64_t stride, double* __restrict sum,
              LaneSums& __restrict lanes) {
  constexpr int kRows = 8;  // at a time, so that sums rest in registers for a while
  double square[kTile] = {};
  for (std::int64_t i = 0; i < kTile; ++i) sum[i] = 0.0;
  std::int64_t k = 0;
  for (; k + kRows <= count; k += kRows) {
    add_rows(x + k * stride, stride, sum, square, std::make_integer_sequence<int, kRows>{});
  }
  for (; k < count; ++k) {
    add_rows(x + k * stride, stride, sum, square, std::make_integer_sequence<int, 1>{});
  }
  for (std::int64_t i = 0; i < kTile; ++i) {
    lanes.squared_sum[i] += sum[i] * sum[i];
    lanes.sum_squared[i] += square[i];
  }
}

void load_tile(std::int64_t count, const float* x, std::int64_t stride, float* rows) {
  for (std::int64_t k = 0; k < count; ++k) {
    std::memcpy(rows + k * kTile, x + k * stride, kTile * sizeof(float));
    // The rows are too many streams for the hardware to foresee.
    for (std::int64_t i = 0; i < kTile; i += 16) __builtin_prefetch(x + k * stride + kTile + i);
  }
}

/// Many values: one row of the tile is one wire of the network, in the cache.
void run_network(const ReductionPlan& plan, float* rows) {
  for (std::int64_t c = 0; c < plan.network_size; ++c) {
    const Comparator& comparator = plan.network[c];
    float* low = rows + comparator.low * kTile;
    float* high = rows + comparator.high * kTile;
    // NOLINTNEXTLINE(bugprone-branch-clone): it does not look into loops with a pragma
    if (comparator.keeps_low && comparator.keeps_high) {
#pragma omp simd
      for (std::int64_t i = 0; i < kTile; ++i) {
        float a = low[i];
        float b = high[i];
        compare_exchange(a, b);
        low[i] = a;
        high[i] = b;
      }
    } else if (comparator.keeps_low) {
#pragma omp simd
      for (std::int64_t i = 0; i < kTile; ++i) low[i] = high[i] < low[i] ? high[i] : low[i];
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < kTile; ++i) high[i] = high[i] < low[i] ? low[i] : high[i];
    }
  }
}

/// Works on the rows in place.
void ordered_sum_tile(const ReductionPlan& plan, float* __restrict rows, float* __restrict out,
                      bool with_norms, LaneSums& lanes) {
  double total[kTile];
  if (with_norms) sum_tile(plan.k, rows, kTile, total, lanes);
  float nan[kTile] = {};  // where any of the values is
  for (std::int64_t k = 0; k < plan.k; ++k) {
    const float* row = rows + k * kTile;
    for (std::int64_t i = 0; i < kTile; ++i) nan[i] = row[i] == row[i] ? nan[i] : row[i];
  }
  run_network(plan, rows);

  const OrderedSum& sum = plan.sum;
  for (std::int64_t i = 0; i < kTile; ++i) total[i] = 0.0;
  const auto accumulate = [&](std::int64_t row, double times) {
    const float* __restrict values = rows + row * kTile;
    for (std::int64_t i = 0; i < kTile; ++i) total[i] += times * static_cast<double>(values[i]);
  };
  // Not times 0: an infinite value that counts for nothing would make a NaN.
  if (sum.below > 0) accumulate(sum.first, static_cast<double>(sum.below));
  for (std::int64_t row = sum.first; row <= sum.last; ++row) accumulate(row, 1.0);
  if (sum.above > 0) accumulate(sum.last, static_cast<double>(sum.above));
  for (std::int64_t i = 0; i < kTile; ++i) {
    const float result = static_cast<float>(total[i] * sum.scale);
    out[i] = nan[i] == nan[i] ? result : nan[i];
  }
}

/// Where the values of a tile lie: value k of coordinate i at x[k * stride + i].
struct TileView {
  const float* x;
  std::int64_t stride;
};

/// Where the results of a tile go.
struct Place {
  float* to;
  std::int64_t width;  ///< up to kTile
};

/// For each tile of coordinates, place_at(tile) says where the results go, and rows_at(tile, width)
/// gives the values, filled up with zeros to kTile; it may use `scratch`.
template <class PlaceAt, class RowsAt>
void reduce_tiles(const ReductionPlan& plan, std::int64_t tiles, float* scratch, NormSums* norms,
                  const PlaceAt& place_at, const RowsAt& rows_at) {
  const TrimmedTile unrolled =
      norms != nullptr ? find_trimmed_tile<true>(plan) : find_trimmed_tile<false>(plan);
  const bool is_mean = plan.sum.last - plan.sum.first == plan.k - 1;
  LaneSums lanes{};
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const Place place = place_at(tile);
    const TileView rows = rows_at(tile, place.width);
    float last[kTile];
    float* to = place.width < kTile ? last : place.to;
    if (unrolled != nullptr) {
      unrolled(rows.x, rows.stride, to, lanes);
    } else if (is_mean) {
      double sum[kTile];
      sum_tile(plan.k, rows.x, rows.stride, sum, lanes);
      for (std::int64_t i = 0; i < kTile; ++i) to[i] = static_cast<float>(sum[i] * plan.sum.scale);
    } else {
      if (rows.x != scratch) load_tile(plan.k, rows.x, rows.stride, scratch);
      ordered_sum_tile(plan, scratch, to, norms != nullptr, lanes);
    }
    if (to == last) {
      std::memcpy(place.to, last, static_cast<std::size_t>(place.width) * sizeof(float));
    }
  }
  if (norms == nullptr) return;
  *norms = {};
  for (std::int64_t i = 0; i < kTile; ++i) {
    norms->squared_sum += lanes.squared_sum[i];
    norms->sum_squared += lanes.sum_squared[i];
  }
}

/// n coordinates, one tile after the other.
template <class RowsAt>
void reduce_tiles(const ReductionPlan& plan, std::int64_t n, float* out, float* scratch,
                  NormSums* norms, const RowsAt& rows_at) {
  const auto place_at = [=](std::int64_t tile) {
    const std::int64_t begin = tile * kTile;
    return Place{out + begin, n - begin < kTile ? n - begin : kTile};
  };
  reduce_tiles(plan, (n + kTile - 1) / kTile, scratch, norms, place_at,
               [&](std::int64_t tile, std::int64_t width) { return rows_at(tile * kTile, width); });
}

void reduce(const ReductionPlan& plan, const float* x, std::int64_t stride, std::int64_t n,
            float* out, float* scratch, NormSums* norms) {
  reduce_tiles(plan, n, out, scratch, norms, [=](std::int64_t begin, std::int64_t width) {
    if (width == kTile) return TileView{x + begin, stride};
    for (std::int64_t k = 0; k < plan.k; ++k) {
      std::memset(scratch + k * kTile, 0, kTile * sizeof(float));
      std::memcpy(scratch + k * kTile, x + k * stride + begin,
                  static_cast<std::size_t>(width) * sizeof(float));
    }
    return TileView{scratch, kTile};
  });
}

void reduce_rows(const ReductionPlan& plan, const float* x, std::int64_t stride, std::int64_t rows,
                 std::int64_t width, float* out, std::int64_t out_row, float* scratch,
                 NormSums* norms) {
  reduce_tiles(
      plan, rows, scratch, norms,
      [=](std::int64_t row) {
        return Place{out + row * out_row, width};
      },
      [=](std::int64_t row, std::int64_t) {
        return TileView{x + row * kTile, stride};
      });
}

void reduce_outer_products(const ReductionPlan& plan, const float* a, std::int64_t a_stride,
                           const float* x, std::int64_t stride, std::int64_t n, float* out,
                           float* scratch, NormSums* norms) {
  reduce_tiles(plan, n, out, scratch, norms, [=](std::int64_t begin, std::int64_t width) {
    for (std::int64_t k = 0; k < plan.k; ++k) {
      const float factor = a[k * a_stride];
      const float* __restrict from = x + k * stride + begin;
      float* __restrict to = scratch + k * kTile;
      if (width == kTile) {
        for (std::int64_t i = 0; i < kTile; ++i) to[i] = factor * from[i];
        continue;
      }
      std::memset(to, 0, kTile * sizeof(float));
      for (std::int64_t i = 0; i < width; ++i) to[i] = factor * from[i];
    }
    return TileView{scratch, kTile};
  });
}

}  // namespace

const Kernels kKernels{
    .to_bf16 = convert<float, std::uint16_t>,
    .to_f32 = convert<std::uint16_t, float>,
    .decayed_gradient = decayed_gradient,
    .sgd = sgd,
    .sgd_momentum = sgd_momentum<false>,
    .sgd_nesterov = sgd_momentum<true>,
    .weighted_rows = weighted_rows,
    .weighted_pixels = weighted_pixels,
    .reduce = reduce,
    .reduce_rows = reduce_rows,
    .reduce_outer_products = reduce_outer_products,
    .f32 = &kF32,
    .bf16 = &kBf16,
    .product = &kProduct,
    .winograd_f32 = &kWinogradF32,
    .winograd_bf16 = &kWinogradBf16,
};

}  // namespace cograd::simd::COGRAD_SIMD_NAMESPACE
