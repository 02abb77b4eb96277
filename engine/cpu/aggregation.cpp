#include "cograd/engine/cpu/aggregation.h"

#include <algorithm>

#include "cograd/engine/aggregation/coordinate/coordinate_aggregator.h"
#include "cograd/engine/aggregation/selection_network.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace cpu {

const AggregationKernels& aggregation_kernels() { return COGRAD_TABLE_IN_FORCE(kAggregation); }

ReductionPlan plan_of(const Reduction& reduction, std::int64_t k) {
  ReductionPlan plan{k, ordered_sum(reduction, k), nullptr, 0};
  if (aggregation_kernels().needs_network(plan)) {
    const std::vector<Comparator>& network = selection_network(k, plan.sum);
    plan.network = network.data();
    plan.network_size = std::ssize(network);
  }
  return plan;
}

std::size_t tile_scratch(std::int64_t k) {
  return static_cast<std::size_t>(k * kTile) * sizeof(float) / sizeof(simd::CacheLine);
}

void put_norms(const std::vector<NormSums>& pieces, std::int64_t k, GroupNorms* norms) {
  if (norms == nullptr) return;
  *norms = {};
  const auto count = static_cast<double>(k);
  for (const NormSums& sums : pieces) {
    norms->squared_mean += sums.squared_sum / (count * count);
    norms->mean_squared += sums.sum_squared / count;
  }
}

void reduce_by_rule(const CoordinateRule& rule, const Stack<float>& stack, float* out,
                    NormScratch& scratch, NormSums* norms) {
  rule.reduce(stack, out);
  if (norms == nullptr) return;
  // The rows are in the cache: a mean of them costs little, and its kernel sums the norms.
  scratch.mean.resize(static_cast<std::size_t>(stack.n));
  scratch.tile.resize(tile_scratch(rule.groups()));
  aggregation_kernels().reduce(plan_of({}, rule.groups()), stack.values, stack.stride, stack.n,
                               scratch.mean.data(), scratch.tile[0].values, norms);
}

void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms) {
  const CoordinateRule* rule = reduction.rule.get();
  const ReductionPlan plan = plan_of(rule != nullptr ? Reduction{} : reduction, k);
  const auto kernel = aggregation_kernels().reduce;
  const std::int64_t block = std::max(kTile, 2 * kThreadBlock / k / kTile * kTile);
  const std::int64_t blocks = (n + block - 1) / block;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(blocks));
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<simd::CacheLine> scratch(tile_scratch(k));
    NormScratch of_rule;
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t begin = b * block, size = std::min(block, n - begin);
      NormSums* sums = norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(b)];
      if (rule != nullptr) {
        reduce_by_rule(*rule, {stack + begin, n, size}, out + begin, of_rule, sums);
      } else {
        kernel(plan, stack + begin, n, size, out + begin, scratch[0].values, sums);
      }
    }
  });
  put_norms(partial, k, norms);
}

}  // namespace cpu

Registers registers_in_force() {
  return static_cast<Registers>(std::min<std::size_t>(simd::instruction_set_index(), 2));
}

void CpuBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                        GroupNorms* norms) {
  cpu::reduce(reduction, stack.data<float>(), stack.size(0), out.numel(), out.data<float>(), norms);
}

void CpuBackend::add_inner_products(const Tensor& stack, Tensor& products) {
  if (stack.dtype() == Dtype::f64) return ReferenceBackend::add_inner_products(stack, products);
  const std::int64_t k = stack.size(0), n = stack.numel() / k;
  const auto size = static_cast<std::size_t>(k * k);
  const std::int64_t blocks = (n + kThreadBlock - 1) / kThreadBlock;
  std::vector<double> partial(static_cast<std::size_t>(blocks) * size, 0.0);
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t begin = b * kThreadBlock;
      cpu::aggregation_kernels().add_inner_products(
          stack.data<float>() + begin, n, k, std::min(kThreadBlock, n - begin),
          partial.data() + static_cast<std::size_t>(b) * size);
    }
  });
  double* to = products.data<double>();
  for (std::int64_t b = 0; b < blocks; ++b) {
    const double* from = partial.data() + static_cast<std::size_t>(b) * size;
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t j = 0; j < k; ++j) {
        to[i * k + j] += i >= j ? from[i * k + j] : from[j * k + i];
      }
    }
  }
}

}  // namespace cograd
