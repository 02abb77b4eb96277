// As in Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008: a panel
// of B is copied into a contiguous buffer, and then some rows of A at a time are multiplied with
// it, the sums in registers. A is read where it lies: broadcasting a number costs the same from
// anywhere.
#include "cograd/engine/cpu/matmul_kernels.h"

#include "cograd/engine/cpu/simd/register_block.h"

namespace cograd::cpu::COGRAD_SIMD_NAMESPACE {
namespace {

using namespace simd::COGRAD_SIMD_NAMESPACE;

constexpr int kColumns = 2 * kLanes;
constexpr std::int64_t kDepth = 1024;  // of a panel, so that it stays in the second-level cache

using Vector = Floats<kLanes>;

/// panel [depth][kColumns] = rows [begin, begin + depth) and columns [0, width) of b; zeros beyond.
void copy_panel(MatrixView b, std::int64_t begin, std::int64_t depth, std::int64_t width,
                float* panel) {
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
        transpose(rows);
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

/// Where a panel's rows of kColumns lie.
struct Panel {
  const float* data;
  std::int64_t row;
};

/// M rows of C from M rows of A and the panel. `bias` has kColumns values or is null; `relu`: see
/// Matmul.
template <int M>
void multiply_rows(const float* a, std::int64_t row, std::int64_t column, Panel panel,
                   std::int64_t depth, const float* bias, bool accumulate, bool relu, float* c,
                   std::int64_t c_row) {
  Vector sums[M][2] = {};
  if (depth > 0) add_products(a, row, column, panel.data, panel.row, depth, sums);
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

void multiply_panel(const Matmul& p, std::int64_t panel_index, float* buffer) {
  const std::int64_t first = panel_index * kColumns;
  const std::int64_t width = p.n - first < kColumns ? p.n - first : kColumns;
  MatrixView b = p.b;
  if (p.k > 0) b.data += first * b.column;  // without rows there may be no data
  float bias[kColumns] = {};
  if (p.bias != nullptr) {
    std::memcpy(bias, p.bias + first, static_cast<std::size_t>(width) * sizeof(float));
  }
  // A few rows of A read the panel once: a copy would cost more than it saves.
  const bool in_place = p.m <= kRows && width == kColumns && b.column == 1;
  std::int64_t begin = 0;
  do {  // once even without rows to add up, for the bias and the zeros
    const std::int64_t depth = p.k - begin < kDepth ? p.k - begin : kDepth;
    if (!in_place) copy_panel(b, begin, depth, width, buffer);
    const Panel panel = in_place ? Panel{b.data + begin * b.row, b.row} : Panel{buffer, kColumns};
    const bool last = begin + depth == p.k, relu = last && p.relu;
    const float* last_bias = last && p.bias != nullptr ? bias : nullptr;
    const bool accumulate = p.accumulate || begin > 0;
    for_row_blocks(p.m, [&](std::int64_t i, auto rows) {
      const float* a = depth > 0 ? p.a.data + i * p.a.row + begin * p.a.column : nullptr;
      const auto run = [&](bool add, bool rectify, float* to, std::int64_t to_row) {
        multiply_rows<rows()>(a, p.a.row, p.a.column, panel, depth, last_bias, add, rectify, to,
                              to_row);
      };
      float* c = p.c + i * p.c_row + first;
      if (width == kColumns) return run(accumulate, relu, c, p.c_row);
      float whole[rows() * kColumns];
      run(false, false, whole, kColumns);
      for (std::int64_t r = 0; r < rows(); ++r) {
        for (std::int64_t j = 0; j < width; ++j) {
          float& to = c[r * p.c_row + j];
          const float sum = whole[r * kColumns + j] + (accumulate ? to : 0.0f);
          to = relu && sum < 0.0f ? 0.0f : sum;
        }
      }
    });
    begin += depth;
  } while (begin < p.k);
}

}  // namespace

const MatmulKernels kMatmul{.columns = kColumns,
                            .rows = kRows,
                            .buffer = kColumns * kDepth,
                            .multiply_panel = multiply_panel};

}  // namespace cograd::cpu::COGRAD_SIMD_NAMESPACE
