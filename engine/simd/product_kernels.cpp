// The matrix product, one panel of columns at a time. Compiled once per instruction set.
//
// As in Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008: a panel
// of B is copied into a contiguous buffer, and then some rows of A at a time are multiplied with
// it, the sums in registers. A is read where it lies: broadcasting a number costs the same from
// anywhere.
#include "engine/simd/kernels.h"
#include "engine/simd/lanes.h"

namespace cograd::simd::COGRAD_SIMD_NAMESPACE {
namespace {

#if defined(__AVX512F__)  // 24 sums, two vectors of B and the number of A in 32 registers
constexpr int kLanes = 16, kRows = 12;
#elif defined(__AVX__)  // 12 sums in 16
constexpr int kLanes = 8, kRows = 6;
#else
constexpr int kLanes = 4, kRows = 6;
#endif
constexpr int kColumns = 2 * kLanes;
constexpr std::int64_t kDepth = 1024;  // of a panel, so that it stays in the second-level cache

using Vector = Floats<kLanes>;

/// Swaps the blocks beside the diagonal of two rows of a matrix of blocks of D.
template <int D, int... Lane>
void exchange(Vector& a, Vector& b, std::integer_sequence<int, Lane...>) {
  const Vector low = __builtin_shufflevector(a, b, (Lane & D ? kLanes + Lane - D : Lane)...);
  b = __builtin_shufflevector(a, b, (Lane & D ? kLanes + Lane : Lane + D)...);
  a = low;
}

template <int D>
void transpose(Vector (&rows)[kLanes]) {
  if constexpr (D > 0) {
    for (int i = 0; i < kLanes; ++i) {
      if ((i & D) == 0) {
        exchange<D>(rows[i], rows[i + D], std::make_integer_sequence<int, kLanes>{});
      }
    }
    transpose<D / 2>(rows);
  }
}

/// panel [depth][kColumns] = rows [begin, begin + depth) and columns [0, width) of b; zeros beyond.
void pack(MatrixView b, std::int64_t begin, std::int64_t depth, std::int64_t width, float* panel) {
  const float* from = b.data + begin * b.row;
  if (width == kColumns && b.column == 1) {
    for (std::int64_t k = 0; k < depth; ++k) {
      std::memcpy(panel + k * kColumns, from + k * b.row, kColumns * sizeof(float));
    }
    return;
  }
  std::int64_t done = 0;
  if (width == kColumns && b.row == 1) {  // columns lie in memory as rows: transpose blocks
    for (; done + kLanes <= depth; done += kLanes) {
      for (int half = 0; half < kColumns; half += kLanes) {
        Vector rows[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          rows[i] = load<kLanes>(from + done + (half + i) * b.column);
        }
        transpose<kLanes / 2>(rows);
        for (int i = 0; i < kLanes; ++i) {
          store<kLanes>(panel + (done + i) * kColumns + half, rows[i]);
        }
      }
    }
  }
  for (std::int64_t k = done; k < depth; ++k) {
    float* to = panel + k * kColumns;
    for (std::int64_t j = 0; j < width; ++j) to[j] = from[k * b.row + j * b.column];
    for (std::int64_t j = width; j < kColumns; ++j) to[j] = 0.0f;
  }
}

/// M rows of C from M rows of A and the panel. `bias` has kColumns values or is null; `relu`: see
/// Product.
template <int M>
void multiply_rows(const float* a, std::int64_t row, std::int64_t column, const float* panel,
                   std::int64_t depth, const float* bias, bool accumulate, bool relu, float* c,
                   std::int64_t c_row) {
  // A pointer for every third row: with an index, the two after it are addresses of one
  // instruction.
  constexpr int kPointers = (M + 2) / 3;
  const float* rows[kPointers];
  for (int i = 0; i < kPointers; ++i) rows[i] = a + 3 * i * row;
  Vector sums[M][2] = {};
  for (std::int64_t k = 0; k < depth; ++k, panel += kColumns) {
    const Vector left = load<kLanes>(panel), right = load<kLanes>(panel + kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      const float number = rows[i / 3][i % 3 * row];
      sums[i][0] += left * number;
      sums[i][1] += right * number;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kPointers; ++i) rows[i] += column;
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i) {
    for (int half = 0; half < 2; ++half) {
      Vector sum = sums[i][half];
      float* to = c + i * c_row + half * kLanes;
      if (bias != nullptr) sum += load<kLanes>(bias + half * kLanes);
      if (accumulate) sum += load<kLanes>(to);
      store<kLanes>(to, relu ? positive<kLanes>(sum) : sum);
    }
  }
}

using MultiplyRows = void (*)(const float*, std::int64_t, std::int64_t, const float*, std::int64_t,
                              const float*, bool, bool, float*, std::int64_t);

template <int... I>
constexpr MultiplyRows multiply_rows_for(int count, std::integer_sequence<int, I...>) {
  constexpr MultiplyRows table[] = {multiply_rows<I + 1>...};
  return table[count - 1];
}

void multiply_panel(const Product& p, std::int64_t panel_index, float* panel) {
  const std::int64_t first = panel_index * kColumns;
  const std::int64_t width = p.n - first < kColumns ? p.n - first : kColumns;
  MatrixView b = p.b;
  b.data += first * b.column;
  float bias[kColumns] = {};
  if (p.bias != nullptr) {
    std::memcpy(bias, p.bias + first, static_cast<std::size_t>(width) * sizeof(float));
  }
  const std::int64_t blocks = (p.m + kRows - 1) / kRows;
  std::int64_t begin = 0;
  do {  // once even without rows to add up, for the bias and the zeros
    const std::int64_t depth = p.k - begin < kDepth ? p.k - begin : kDepth;
    pack(b, begin, depth, width, panel);
    const bool last = begin + depth == p.k, relu = last && p.relu;
    const float* last_bias = last && p.bias != nullptr ? bias : nullptr;
    const bool accumulate = p.accumulate || begin > 0;
    for (std::int64_t block = 0; block < blocks; ++block) {  // of as equal heights as can be
      const std::int64_t i = block * p.m / blocks, end = (block + 1) * p.m / blocks;
      const float* a = p.a.data + i * p.a.row + begin * p.a.column;
      const auto run =
          multiply_rows_for(static_cast<int>(end - i), std::make_integer_sequence<int, kRows>{});
      float* c = p.c + i * p.c_row + first;
      if (width == kColumns) {
        run(a, p.a.row, p.a.column, panel, depth, last_bias, accumulate, relu, c, p.c_row);
        continue;
      }
      float whole[kRows * kColumns];
      run(a, p.a.row, p.a.column, panel, depth, last_bias, false, false, whole, kColumns);
      for (std::int64_t r = 0; r < end - i; ++r) {
        for (std::int64_t j = 0; j < width; ++j) {
          float& to = c[r * p.c_row + j];
          const float sum = whole[r * kColumns + j] + (accumulate ? to : 0.0f);
          to = relu && sum < 0.0f ? 0.0f : sum;
        }
      }
    }
    begin += depth;
  } while (begin < p.k);
}

}  // namespace

const ProductKernel kProduct{.columns = kColumns,
                             .rows = kRows,
                             .buffer = kColumns * kDepth,
                             .multiply_panel = multiply_panel};

}  // namespace cograd::simd::COGRAD_SIMD_NAMESPACE
