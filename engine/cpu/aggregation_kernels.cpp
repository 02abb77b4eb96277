// One tile of coordinates at a time, by plain loops that the compiler vectorizes for any machine.
#include "cograd/engine/cpu/aggregation_kernels.h"

#include <cstring>

#include "cograd/engine/cpu/simd/lanes.h"

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

using namespace simd::COGRAD_SIMD_NAMESPACE;

constexpr int kMostValues = 16;                // of an unrolled loop
constexpr int kTrims = (kMostValues + 1) / 2;  // 0 to what leaves one or two of them

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

/// That loop for K values without the Trim smallest and largest: for medians of up to kMostValues,
/// and for means and trimmed means of up to 9.
template <bool kNorms, int K, int Trim>
constexpr TrimmedTile unrolled() {
  if constexpr (K >= 3 && 2 * Trim < K && (K <= 9 || Trim == (K - 1) / 2)) {
    return trimmed_tile<kNorms, K, Trim>;
  } else {
    return nullptr;
  }
}

template <bool kNorms, int... Index>
TrimmedTile unrolled(std::int64_t index, std::integer_sequence<int, Index...>) {
  static constexpr TrimmedTile kTable[] = {
      unrolled<kNorms, Index / kTrims, Index % kTrims>()...};  // [K, Trim]
  return kTable[index];
}

/// The unrolled loop for a reduction; null if there is none.
template <bool kNorms>
TrimmedTile find_unrolled(const ReductionPlan& plan) {
  const OrderedSum& sum = plan.sum;
  const bool trims = sum.last == plan.k - 1 - sum.first && sum.below + sum.above == 0;
  if (!trims || plan.k > kMostValues) return nullptr;
  return unrolled<kNorms>(plan.k * kTrims + sum.first,
                          std::make_integer_sequence<int, (kMostValues + 1) * kTrims>{});
}

bool is_mean(const ReductionPlan& plan) { return plan.sum.last - plan.sum.first == plan.k - 1; }

bool needs_network(const ReductionPlan& plan) {
  return find_unrolled<false>(plan) == nullptr && !is_mean(plan);
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

/// The values of a tile: value k of coordinate i is x[k * stride + i].
struct TileView {
  const float* x;
  std::int64_t stride;
};

/// The place of a tile's results.
struct Place {
  float* to;
  std::int64_t width;  ///< up to kTile
};

/// For each tile of coordinates, place_at(tile) says where the results go, and rows_at(tile, width)
/// gives the values, filled up with zeros to kTile; it may use `scratch`.
template <class PlaceAt, class RowsAt>
void reduce_tiles(const ReductionPlan& plan, std::int64_t tiles, float* scratch, NormSums* norms,
                  const PlaceAt& place_at, const RowsAt& rows_at) {
  const TrimmedTile in_registers =
      norms != nullptr ? find_unrolled<true>(plan) : find_unrolled<false>(plan);
  const bool mean = is_mean(plan);
  LaneSums lanes{};
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const Place place = place_at(tile);
    const TileView rows = rows_at(tile, place.width);
    float last[kTile];
    float* to = place.width < kTile ? last : place.to;
    if (in_registers != nullptr) {
      in_registers(rows.x, rows.stride, to, lanes);
    } else if (mean) {
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

/// products[j] += sum_i a[i] b[j * stride + i] for J rows of b. Sixteen sums each in f32, which f64
/// then adds up in order: the same bits everywhere.
template <int J>
void add_products_of_row(const float* a, const float* b, std::int64_t stride, std::int64_t n,
                         double* products) {
  constexpr int kLanes = 16;
  Floats<kLanes> sums[J] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Floats<kLanes> x = load<kLanes>(a + i);
    for (int j = 0; j < J; ++j) sums[j] += x * load<kLanes>(b + j * stride + i);
  }
  for (int j = 0; j < J; ++j) {
    double total = 0.0;
    for (int lane = 0; lane < kLanes; ++lane) total += sums[j][lane];
    for (std::int64_t rest = i; rest < n; ++rest) {
      total += static_cast<double>(a[rest]) * b[j * stride + rest];
    }
    products[j] += total;
  }
}

void add_inner_products(const float* x, std::int64_t stride, std::int64_t k, std::int64_t n,
                        double* products) {
  constexpr std::int64_t kPiece = 1024;  // so that all rows of a piece stay in the cache
  for (std::int64_t begin = 0; begin < n; begin += kPiece) {
    const std::int64_t size = n - begin < kPiece ? n - begin : kPiece;
    for (std::int64_t a = 0; a < k; ++a) {
      const float* row = x + a * stride + begin;
      std::int64_t b = 0;
      for (; b + 3 <= a + 1; b += 3) {
        add_products_of_row<3>(row, x + b * stride + begin, stride, size, products + a * k + b);
      }
      for (; b <= a; ++b) {
        add_products_of_row<1>(row, x + b * stride + begin, stride, size, products + a * k + b);
      }
    }
  }
}

}  // namespace

const AggregationKernels kAggregation{
    .needs_network = needs_network,
    .reduce = reduce,
    .reduce_rows = reduce_rows,
    .reduce_outer_products = reduce_outer_products,
    .add_inner_products = add_inner_products,
};

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
