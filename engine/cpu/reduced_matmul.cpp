#include "cograd/engine/cpu/reduced_matmul.h"

#include <algorithm>
#include <vector>

#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/matmul_kernels.h"
#include "cograd/engine/threads.h"

namespace cograd::cpu {

void reduce_outer_products(const Reduction& reduction, const float* a, const float* b,
                           std::int64_t k, std::int64_t m, std::int64_t n, float* out,
                           GroupNorms* norms) {
  const ReductionPlan plan = plan_of(reduction, k);
  const auto kernel = aggregation_kernels().reduce_outer_products;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(m));
  parallel_ranges(m, k * m * n > kThreadBlock, [&](std::int64_t first, std::int64_t last) {
    std::vector<simd::CacheLine> scratch(tile_scratch(k));
    for (std::int64_t o = first; o < last; ++o) {
      kernel(plan, a + o, m, b, n, n, out + o * n, scratch[0].values,
             norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(o)]);
    }
  });
  put_norms(partial, k, norms);
}

namespace {

/// out [m, n] in tiles: as many rows as stay in the second-level cache for all groups, kTile
/// columns.
struct Tiling {
  std::int64_t m, n, rows, down, across;

  Tiling(std::int64_t outputs, std::int64_t inputs, std::int64_t k, std::int64_t kernel_rows)
      : m(outputs),
        n(inputs),
        rows(std::min(m, std::max(kernel_rows, 512 / k))),
        down((m + rows - 1) / rows),
        across((n + kTile - 1) / kTile) {}

  std::int64_t count() const { return down * across; }
  Part rows_of(std::int64_t tile) const { return {m, down, tile / across}; }
  std::int64_t column_of(std::int64_t tile) const { return tile % across * kTile; }
};

/// Working memory of a thread.
struct Buffers {
  std::vector<simd::CacheLine> panel, stack, scratch;
  std::vector<float> reduced;  // a tile of a rule's results
  NormScratch of_rule;

  void reserve(std::int64_t panel_floats, std::int64_t rows, std::int64_t k) {
    panel.resize(static_cast<std::size_t>(panel_floats / 16));
    scratch.resize(std::max(scratch.size(), tile_scratch(k)));
    stack.resize(std::max(stack.size(), static_cast<std::size_t>(rows) * tile_scratch(k)));
  }
};

/// Rows `rows` and up to kTile columns from `column` on, of every product into `stack` and from
/// there reduced into `out`.
void reduce_tile(const ReductionPlan& plan, const CoordinateRule* rule,
                 std::span<const Matmul> products, const Part& rows, std::int64_t column,
                 float* out, Buffers& buffers, NormSums* norms) {
  const MatmulKernels& kernels = matmul_kernels();
  const std::int64_t n = products[0].n, width = std::min(kTile, n - column);
  const std::int64_t size = rows.size() * kTile;
  float* to = buffers.stack[0].values;
  if (width < kTile) std::fill_n(to, plan.k * size, 0.0f);  // the kernel expects zeros there
  for (Matmul p : products) {
    p.a.data += rows.begin * p.a.row;
    p.b.data += column * p.b.column;
    p.m = rows.size();
    p.n = width;
    p.c = to;
    p.c_row = kTile;
    for (std::int64_t panel = 0; panel * kernels.columns < width; ++panel) {
      kernels.multiply_panel(p, panel, buffers.panel[0].values);
    }
    to += size;
  }
  out += rows.begin * n + column;
  const float* stack = buffers.stack[0].values;
  if (rule == nullptr) {
    aggregation_kernels().reduce_rows(plan, stack, size, rows.size(), width, out, n,
                                      buffers.scratch[0].values, norms);
    return;
  }
  buffers.reduced.resize(static_cast<std::size_t>(size));
  reduce_by_rule(*rule, {stack, size, size}, buffers.reduced.data(), buffers.of_rule, norms);
  for (std::int64_t r = 0; r < rows.size(); ++r) {
    std::copy_n(buffers.reduced.data() + r * kTile, width, out + r * n);
  }
}

}  // namespace

void reduce_products(const Reduction& reduction, std::span<const Matmul> products, float* out,
                     GroupNorms* norms) {
  const CoordinateRule* rule = reduction.rule.get();
  const ReductionPlan plan =
      plan_of(rule != nullptr ? Reduction{} : reduction, std::ssize(products));
  const MatmulKernels& kernels = matmul_kernels();
  const std::int64_t m = products[0].m, n = products[0].n;
  const Tiling tiling(m, n, plan.k, kernels.rows);
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(tiling.count()));
  parallel_ranges(
      tiling.count(), plan.k * m * n > kThreadBlock, [&](std::int64_t begin, std::int64_t end) {
        thread_local Buffers buffers;
        buffers.reserve(kernels.buffer, tiling.rows, plan.k);
        for (std::int64_t tile = begin; tile < end; ++tile) {
          reduce_tile(plan, rule, products, tiling.rows_of(tile), tiling.column_of(tile), out,
                      buffers,
                      norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(tile)]);
        }
      });
  put_norms(partial, plan.k, norms);
}

}  // namespace cograd::cpu
