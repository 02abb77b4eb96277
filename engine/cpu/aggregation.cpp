#include "engine/cpu/aggregation.h"

#include <algorithm>

#include "engine/aggregation/selection_network.h"
#include "engine/cpu/cpu_backend.h"
#include "engine/threads.h"

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

void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms) {
  const ReductionPlan plan = plan_of(reduction, k);
  const auto kernel = aggregation_kernels().reduce;
  const std::int64_t block = std::max(kTile, 2 * kThreadBlock / k / kTile * kTile);
  const std::int64_t blocks = (n + block - 1) / block;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(blocks));
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<simd::CacheLine> scratch(tile_scratch(k));
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t begin = b * block;
      kernel(plan, stack + begin, n, std::min(block, n - begin), out + begin, scratch[0].values,
             norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(b)]);
    }
  });
  put_norms(partial, k, norms);
}

}  // namespace cpu

void CpuBackend::reduce(const Reduction& reduction, const Tensor& stack, Tensor& out,
                        GroupNorms* norms) {
  cpu::reduce(reduction, stack.data<float>(), stack.size(0), out.numel(), out.data<float>(), norms);
}

}  // namespace cograd
