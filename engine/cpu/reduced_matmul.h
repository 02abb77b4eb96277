// Reductions over the K gradients of a linear layer, without storing them, on all threads.
#pragma once

#include <cstdint>
#include <span>

#include "cograd/engine/aggregation/reduction.h"
#include "cograd/engine/cpu/matmul.h"

namespace cograd::cpu {

/// out [o, i] = reduction over k of the products a[k, o] b[k, i], for a [k, m], b [k, n], out [m,
/// n]; the products stay in the cache. Norms and errors as in reduce().
void reduce_outer_products(const Reduction& reduction, const float* a, const float* b,
                           std::int64_t k, std::int64_t m, std::int64_t n, float* out,
                           GroupNorms* norms);

/// out [m, n] = reduction over the products a b, all [m, n]; their c are not used: a tile of each
/// stays in the cache. Norms and errors as in reduce(). Results may differ between instruction
/// sets, as matmul()'s do.
void reduce_products(const Reduction& reduction, std::span<const Matmul> products, float* out,
                     GroupNorms* norms);

}  // namespace cograd::cpu
