#include "cograd/engine/cpu/update.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/cpu/update_kernels.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace cpu {

const UpdateKernels& update_kernels() { return COGRAD_TABLE_IN_FORCE(kUpdate); }

namespace {

/// body(arrays, begin, size) over blocks of all parameters. Blocks end where they do with any
/// number of threads, and so does what a vector loop leaves to its last lanes. Each thread has the
/// same rows of a matrix as in the products that made its gradient and that read it next: numbers
/// that another core has written are slow to read.
template <class Arrays, class Body>
void for_each_block(std::span<const Arrays> parameters, const Body& body) {
  constexpr std::int64_t kBlock = kThreadBlock / 8;
  std::int64_t elements = 0;
  for (const Arrays& a : parameters) elements += a.n;
  const std::int64_t threads = elements > kThreadBlock ? thread_count() : 1;
  parallel(threads, [&](std::int64_t thread) {
    for (const Arrays& a : parameters) {
      const Part blocks((a.n + kBlock - 1) / kBlock, threads, thread);
      for (std::int64_t b = blocks.begin; b < blocks.end; ++b) {
        body(a, b * kBlock, std::min(kBlock, a.n - b * kBlock));
      }
    }
  });
}

/// The update of a range of elements, on the calling thread.
void update_range(float* p, const float* g, float* v, std::int64_t n,
                  const SgdCoefficients& coefficients) {
  const auto rate = static_cast<float>(coefficients.learning_rate);
  const auto decay = static_cast<float>(coefficients.weight_decay);
  const auto momentum = static_cast<float>(coefficients.momentum);
  const UpdateKernels& kernels = update_kernels();
  if (v == nullptr) return kernels.sgd(p, g, rate, decay, n);
  const auto kernel = coefficients.nesterov ? kernels.sgd_nesterov : kernels.sgd_momentum;
  kernel(p, g, v, rate, decay, momentum, n);
}

std::vector<ParameterArrays> arrays_of(std::span<ParameterUpdate> updates) {
  std::vector<ParameterArrays> arrays;
  arrays.reserve(updates.size());
  for (ParameterUpdate& u : updates) {
    arrays.push_back({.p = u.p.data<float>(),
                      .g = u.g.data<float>(),
                      .v = u.velocity.defined() ? u.velocity.data<float>() : nullptr,
                      .window = u.window.defined() ? u.window.data<float>() : nullptr,
                      .n = u.p.numel()});
  }
  return arrays;
}

}  // namespace

void decayed_gradient(const float* g, const float* p, double weight_decay, float* out,
                      std::int64_t n) {
  const auto kernel = update_kernels().decayed_gradient;
  const auto decay = static_cast<float>(weight_decay);
  parallel_blocks(
      n, [=](std::int64_t i, std::int64_t size) { kernel(g + i, p + i, decay, out + i, size); });
}

void sgd_update(std::span<const ParameterArrays> parameters, const SgdCoefficients& coefficients) {
  for_each_block(parameters, [&](const ParameterArrays& a, std::int64_t i, std::int64_t size) {
    update_range(a.p + i, a.g + i, a.v == nullptr ? nullptr : a.v + i, size, coefficients);
  });
}

void rolling_update(std::span<const ParameterArrays> parameters, std::int64_t w, std::int64_t slot,
                    bool full, const Reduction& reduction, const SgdCoefficients& coefficients) {
  constexpr std::int64_t kPiece = 16 * kTile;  // its slots, p and g fit into the first-level cache
  const ReductionPlan plan = plan_of(reduction, w);
  const auto decayed = update_kernels().decayed_gradient;
  const auto reduce = aggregation_kernels().reduce;
  const auto decay = static_cast<float>(coefficients.weight_decay);
  SgdCoefficients without_decay = coefficients;
  without_decay.weight_decay = 0.0;
  for_each_block(parameters, [&](const ParameterArrays& a, std::int64_t begin, std::int64_t size) {
    thread_local std::vector<simd::CacheLine> scratch;
    scratch.resize(std::max(scratch.size(), tile_scratch(w)));
    simd::CacheLine reduced[kPiece / 16];
    for (std::int64_t i = begin; i < begin + size; i += kPiece) {
      const std::int64_t piece = std::min(kPiece, begin + size - i);
      decayed(a.g + i, a.p + i, decay, a.window + slot * a.n + i, piece);
      if (!full) continue;
      reduce(plan, a.window + i, a.n, piece, reduced[0].values, scratch[0].values, nullptr);
      update_range(a.p + i, reduced[0].values, a.v == nullptr ? nullptr : a.v + i, piece,
                   without_decay);
    }
  });
}

void adam_update(std::span<const AdamArrays> parameters, std::int64_t t,
                 const AdamCoefficients& c) {
  const double correction1 = bias_correction(std::log(c.beta1), t);
  const double correction2 = bias_correction(std::log(c.beta2), t);
  const auto number = [](double x) { return static_cast<float>(x); };
  const AdamNumbers numbers{
      .beta1 = number(c.beta1),
      .rest1 = number(1.0 - c.beta1),
      .beta2 = number(c.beta2),
      .rest2 = number(1.0 - c.beta2),
      .rate = number(c.learning_rate / correction1),
      .root = number(1.0 / std::sqrt(correction2)),
      .eps = number(c.eps),
      .decay = number(c.decoupled ? 0.0 : c.weight_decay),
      .shrink = number(c.decoupled ? 1.0 - c.learning_rate * c.weight_decay : 1.0)};
  const auto kernel = update_kernels().adam;
  for_each_block(parameters, [&](const AdamArrays& a, std::int64_t i, std::int64_t size) {
    kernel(a.p + i, a.g + i, a.m + i, a.v + i, numbers, size);
  });
}

}  // namespace cpu

void CpuBackend::sgd_update(std::span<ParameterUpdate> updates,
                            const SgdCoefficients& coefficients) {
  cpu::sgd_update(cpu::arrays_of(updates), coefficients);
}

void CpuBackend::rolling_update(std::span<ParameterUpdate> updates, std::int64_t slot, bool full,
                                const Reduction& reduction, const SgdCoefficients& coefficients) {
  if (updates.empty()) return;
  cpu::rolling_update(cpu::arrays_of(updates), updates.front().window.size(0), slot, full,
                      reduction, coefficients);
}

void CpuBackend::adam_update(std::span<AdamUpdate> updates, const Tensor& count,
                             const AdamCoefficients& coefficients) {
  std::vector<cpu::AdamArrays> arrays;
  arrays.reserve(updates.size());
  for (AdamUpdate& u : updates) {
    arrays.push_back({.p = u.p.data<float>(),
                      .g = std::as_const(u.g).data<float>(),
                      .m = u.first_moment.data<float>(),
                      .v = u.second_moment.data<float>(),
                      .n = u.p.numel()});
  }
  cpu::adam_update(arrays, count.data<std::int64_t>()[0], coefficients);
}

}  // namespace cograd
