// Reductions of K gradients to one, on all threads.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/cpu/aggregation_kernels.h"
#include "cograd/engine/cpu/simd/memory.h"

namespace cograd::cpu {

/// out [n] = reduction over the k rows of stack [k, n], as Backend::reduce. The norms come from the
/// same pass over memory. Results depend neither on the number of threads nor on the instruction
/// set. Throws ValueError as ordered_sum().
void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms);

/// A reduction of k values, as the kernels take it.
ReductionPlan plan_of(const Reduction& reduction, std::int64_t k);
/// Cache lines of the `scratch` that the kernels take, for k rows of a tile.
std::size_t tile_scratch(std::int64_t k);
/// Working memory of reduce_by_rule(); grows as needed.
struct NormScratch {
  std::vector<float> mean;
  std::vector<simd::CacheLine> tile;
};
/// out [n] = rule of `stack`, on the calling thread. `norms` may be null.
void reduce_by_rule(const CoordinateRule& rule, const Stack<float>& stack, float* out,
                    NormScratch& scratch, NormSums* norms);
/// The norms from the sums over the pieces of a parameter, added up in order; `norms` may be null.
void put_norms(const std::vector<NormSums>& pieces, std::int64_t k, GroupNorms* norms);

}  // namespace cograd::cpu
