#include "bench/update_benchmarks.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/numbers.h"
#include "bench/report.h"
#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/reduced_matmul.h"
#include "cograd/engine/cpu/update.h"
#include "tests/support/definitions.h"

namespace cograd::bench {

using testing::Definition;
using testing::definition_of;

void rolling_step(benchmark::State& state, std::int64_t n, bool fused) {
  const std::int64_t footprint = 6 * n * 4;
  if (!fits_in_memory(state, 2 * footprint)) return;
  const Numbers numbers(3 * n);
  const float* g = numbers.data();
  std::vector<float> p(g + n, g + 2 * n), v(static_cast<std::size_t>(n)), out(v);
  std::vector<float> window(g, g + 3 * n);
  const Reduction median{Reduction::Kind::median};
  const SgdCoefficients with_decay{.learning_rate = 1e-3, .momentum = 0.9, .weight_decay = 1e-4};
  SgdCoefficients without_decay = with_decay;
  without_decay.weight_decay = 0.0;
  const cpu::ParameterArrays whole{
      .p = p.data(), .g = g, .v = v.data(), .window = window.data(), .n = n};
  const cpu::ParameterArrays from_median{.p = p.data(), .g = out.data(), .v = v.data(), .n = n};
  std::int64_t slot = 0;
  const auto step = [&] {
    if (fused) {
      cpu::rolling_update({&whole, 1}, 3, slot, true, median, with_decay);
    } else {
      cpu::decayed_gradient(g, p.data(), 1e-4, window.data() + slot * n, n);
      cpu::reduce(median, window.data(), 3, n, out.data(), nullptr);
      cpu::sgd_update({&from_median, 1}, without_decay);
    }
    slot = (slot + 1) % 3;
  };
  step();
  const Definition definition = definition_of(median);
  for (std::int64_t i = 0; i < n; i += std::max<std::int64_t>(1, n / 997)) {
    const float before = g[n + i];
    const std::vector<double> values = {g[i] + 1e-4 * before, g[n + i], g[2 * n + i]};
    const double expected = before - 1e-3 * definition(values);
    if (std::abs(p[static_cast<std::size_t>(i)] - expected) > 1e-6f) {
      fail(state, "wrong update");
      return;
    }
  }
  for (auto _ : state) {
    step();
    benchmark::ClobberMemory();
  }
  // Read: g, p, v and the two older gradients; written: the newest, p and v.
  count(state, n, 8 * n * 4, footprint);
}

void winsorized_products(benchmark::State& state, std::int64_t batch, std::int64_t n) {
  constexpr std::int64_t kOut = 256;
  const std::int64_t in = std::max<std::int64_t>(n / kOut, 1);
  const Numbers numbers(batch * (in + kOut));
  const float* x = numbers.data();
  const float* dy = x + batch * in;
  std::vector<float> out(static_cast<std::size_t>(kOut * in));
  const Reduction winsorized{.kind = Reduction::Kind::winsorized_mean, .percent = 8};
  cpu::reduce_outer_products(winsorized, dy, x, batch, kOut, in, out.data(), nullptr);
  const Definition definition = definition_of(winsorized);
  std::vector<double> products(static_cast<std::size_t>(batch));
  for (std::int64_t i = 0; i < kOut * in; i += std::max<std::int64_t>(1, kOut * in / 997)) {
    for (std::int64_t b = 0; b < batch; ++b) {
      products[static_cast<std::size_t>(b)] = dy[b * kOut + i / in] * x[b * in + i % in];
    }
    if (std::abs(out[static_cast<std::size_t>(i)] - definition(products)) > 1e-6f) {
      fail(state, "wrong sum");
      return;
    }
  }
  for (auto _ : state) {
    cpu::reduce_outer_products(winsorized, dy, x, batch, kOut, in, out.data(), nullptr);
    benchmark::ClobberMemory();
  }
  const std::int64_t bytes = 4 * (batch * (in + kOut) + kOut * in);
  count(state, kOut * in, bytes, bytes);
}

void sgd_update(benchmark::State& state, std::int64_t n) {
  const std::int64_t footprint = 3 * n * 4;
  if (!fits_in_memory(state, 2 * footprint)) return;
  const Numbers numbers(n);
  const float* g = numbers.data();
  std::vector<float> p(g, g + n);
  std::vector<float> v(static_cast<std::size_t>(n));
  const SgdCoefficients coefficients{.learning_rate = 1e-3, .momentum = 0.9, .weight_decay = 1e-4};
  const cpu::ParameterArrays arrays{.p = p.data(), .g = g, .v = v.data(), .n = n};
  const float before = p[0];
  cpu::sgd_update({&arrays, 1}, coefficients);
  if (std::abs(p[0] - (before - 1e-3f * (g[0] + 1e-4f * before))) > 1e-6f) {
    fail(state, "wrong update");
    return;
  }
  for (auto _ : state) {
    cpu::sgd_update({&arrays, 1}, coefficients);
    benchmark::ClobberMemory();
  }
  count(state, n, 5 * n * 4, footprint);
}

}  // namespace cograd::bench
