// Benchmarks of what runs after the reductions or without their inputs in memory.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace cograd::bench {

/// RM3's step: this step's gradient with weight decay into the window of three, the median over the
/// window, momentum and the update. Fused, as the optimizer runs it, or kernel by kernel.
void rolling_step(benchmark::State& state, std::int64_t n, bool fused);

/// The winsorized sum of the gradients of a linear layer's examples, x [B, n / 256] and dy [B,
/// 256], which are never stored: the bytes are those of x, dy and the result.
void winsorized_products(benchmark::State& state, std::int64_t batch, std::int64_t n);

/// SGD with momentum and weight decay.
void sgd_update(benchmark::State& state, std::int64_t n);

}  // namespace cograd::bench
