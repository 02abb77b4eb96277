// Chooses the loops for the machine at run time, and spreads them over threads.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "engine/aggregation/selection_network.h"
#include "engine/error.h"
#include "engine/simd/kernels.h"
#include "engine/simd/simd.h"
#include "engine/threads.h"

namespace cograd::simd {
namespace {

struct InstructionSet {
  std::string_view name;
  const Kernels* kernels;
  bool supported;
};

#if defined(__x86_64__)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

/// Best first.
const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets {
#if defined(__x86_64__)
    {"avx512_bf16", &simd_avx512_bf16::kKernels,
     has_avx512() && __builtin_cpu_supports("avx512bf16")},
        {"avx512", &simd_avx512::kKernels, has_avx512()},
        {"avx2", &simd_avx2::kKernels,
         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
        {"baseline", &simd_baseline::kKernels, true},
  };
  return sets;
}

const InstructionSet& find_instruction_set(std::string_view name) {
  for (const InstructionSet& set : instruction_sets()) {
    if (set.name != name) continue;
    require<ValueError>(set.supported, "[simd] this processor has no {}: expected a lower one",
                        name);
    return set;
  }
  throw ValueError(
      fmt::format("[simd] unknown instruction set '{}': expected avx512_bf16, avx512, avx2 "
                  "or baseline",
                  name));
}

const InstructionSet& best_instruction_set() {
  const char* forced = std::getenv("COGRAD_SIMD");
  if (forced != nullptr && *forced != '\0') return find_instruction_set(forced);
  return *std::find_if(instruction_sets().begin(), instruction_sets().end(),
                       [](const InstructionSet& set) { return set.supported; });
}

std::atomic<const InstructionSet*>& chosen() {
  static std::atomic<const InstructionSet*> set{&best_instruction_set()};
  return set;
}

// Elements that a thread takes at a time; work that fits into one piece stays on the calling
// thread, since waking the others would cost more.
constexpr std::int64_t kBlock = 32768;

/// body(begin, size) over blocks of [0, n).
template <class Body>
void for_each_block(std::int64_t n, const Body& body) {
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t begin = first * kBlock; begin < std::min(n, last * kBlock); begin += kBlock) {
      body(begin, std::min(kBlock, n - begin));
    }
  });
}

/// body(arrays, begin, size) over blocks of all parameters. Blocks end where they do with any
/// number of threads, and so does what a vector loop leaves to its last lanes. Each thread has the
/// same rows of a matrix as in the products that made its gradient and that read it next: numbers
/// that another core has written are slow to read.
template <class Body>
void for_each_block(std::span<const ParameterArrays> parameters, const Body& body) {
  constexpr std::int64_t kPart = kBlock / 8;
  std::int64_t elements = 0;
  for (const ParameterArrays& a : parameters) elements += a.n;
  const std::int64_t threads = elements > kBlock ? thread_count() : 1;
  parallel(threads, [&](std::int64_t thread) {
    for (const ParameterArrays& a : parameters) {
      const Part blocks((a.n + kPart - 1) / kPart, threads, thread);
      for (std::int64_t b = blocks.begin; b < blocks.end; ++b) {
        body(a, b * kPart, std::min(kPart, a.n - b * kPart));
      }
    }
  });
}

OrderedSum ordered_sum(const Reduction& reduction, std::int64_t k) {
  require<ValueError>(k >= 1, "[reduce] nothing to reduce: expected at least 1 group, not {}", k);
  switch (reduction.kind) {
    case Reduction::Kind::mean:
      return mean_of(k);
    case Reduction::Kind::median:
      return median_of(k);
    case Reduction::Kind::trimmed_mean:
      require<ValueError>(reduction.trim >= 0 && 2 * reduction.trim < k,
                          "[reduce] cannot trim {} values on either side of {}: expected twice the "
                          "trim below the number of groups",
                          reduction.trim, k);
      return trimmed_mean_of(k, reduction.trim);
    case Reduction::Kind::winsorized_mean:
      require<ValueError>(reduction.percent >= 0 && reduction.percent <= 50,
                          "[reduce] cannot winsorize at {} percent: expected 0 to 50",
                          reduction.percent);
      return winsorized_mean_of(k, reduction.percent);
  }
  throw ValueError("[reduce] unknown kind of reduction");
}

}  // namespace

const Kernels& kernels() { return *chosen().load(std::memory_order_relaxed)->kernels; }

std::string_view instruction_set() { return chosen().load()->name; }

void set_instruction_set(std::string_view name) { chosen() = &find_instruction_set(name); }

template <class T>
void add(const T* a, const T* b, T* out, std::int64_t n) {
  const auto kernel = activation_kernels<T>().add;
  for_each_block(n,
                 [=](std::int64_t i, std::int64_t size) { kernel(a + i, b + i, out + i, size); });
}

template <class T>
void relu(const T* x, T* y, std::int64_t n) {
  const auto kernel = activation_kernels<T>().relu;
  for_each_block(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

template <class T>
void relu_backward(const T* y, const T* dy, T* dx, std::int64_t n) {
  const auto kernel = activation_kernels<T>().relu_backward;
  for_each_block(n,
                 [=](std::int64_t i, std::int64_t size) { kernel(y + i, dy + i, dx + i, size); });
}

template void add(const float*, const float*, float*, std::int64_t);
template void add(const std::uint16_t*, const std::uint16_t*, std::uint16_t*, std::int64_t);
template void relu(const float*, float*, std::int64_t);
template void relu(const std::uint16_t*, std::uint16_t*, std::int64_t);
template void relu_backward(const float*, const float*, float*, std::int64_t);
template void relu_backward(const std::uint16_t*, const std::uint16_t*, std::uint16_t*,
                            std::int64_t);

void to_bf16(const float* x, std::uint16_t* y, std::int64_t n) {
  const auto kernel = kernels().to_bf16;
  for_each_block(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

void to_f32(const std::uint16_t* x, float* y, std::int64_t n) {
  const auto kernel = kernels().to_f32;
  for_each_block(n, [=](std::int64_t i, std::int64_t size) { kernel(x + i, y + i, size); });
}

void decayed_gradient(const float* g, const float* p, double weight_decay, float* out,
                      std::int64_t n) {
  const auto kernel = kernels().decayed_gradient;
  const auto decay = static_cast<float>(weight_decay);
  for_each_block(
      n, [=](std::int64_t i, std::int64_t size) { kernel(g + i, p + i, decay, out + i, size); });
}

namespace {

/// The update of a range of elements, on the calling thread.
void update_range(float* p, const float* g, float* v, std::int64_t n,
                  const SgdCoefficients& coefficients) {
  const auto rate = static_cast<float>(coefficients.learning_rate);
  const auto decay = static_cast<float>(coefficients.weight_decay);
  const auto momentum = static_cast<float>(coefficients.momentum);
  if (v == nullptr) return kernels().sgd(p, g, rate, decay, n);
  const auto kernel = coefficients.nesterov ? kernels().sgd_nesterov : kernels().sgd_momentum;
  kernel(p, g, v, rate, decay, momentum, n);
}

}  // namespace

void sgd_update(std::span<const ParameterArrays> parameters, const SgdCoefficients& coefficients) {
  for_each_block(parameters, [&](const ParameterArrays& a, std::int64_t i, std::int64_t size) {
    update_range(a.p + i, a.g + i, a.v == nullptr ? nullptr : a.v + i, size, coefficients);
  });
}

void weighted_rows(const std::uint8_t* x, std::int64_t stride, const float* weights, std::int64_t k,
                   float* out, std::int64_t n) {
  kernels().weighted_rows(x, stride, weights, k, out, n);
}

void weighted_pixels(const PixelSums& sums, const float* row, float* out, std::int64_t plane) {
  kernels().weighted_pixels(sums, row, out, plane);
}

namespace {

/// Cache lines of one thread's scratch, for k rows of a tile.
std::size_t tile_scratch(std::int64_t k) {
  return static_cast<std::size_t>(k * kTile) * sizeof(float) / sizeof(CacheLine);
}

ReductionPlan plan_of(const Reduction& reduction, std::int64_t k) {
  const OrderedSum sum = ordered_sum(reduction, k);
  const std::vector<Comparator>& network = selection_network(k, sum);
  return {k, sum, network.data(), static_cast<std::int64_t>(network.size())};
}

/// Adds up, in order, what the pieces have found.
void put_norms(const std::vector<NormSums>& pieces, std::int64_t k, GroupNorms* norms) {
  if (norms == nullptr) return;
  *norms = {};
  const auto count = static_cast<double>(k);
  for (const NormSums& sums : pieces) {
    norms->squared_mean += sums.squared_sum / (count * count);
    norms->mean_squared += sums.sum_squared / count;
  }
}

}  // namespace

void reduce(const Reduction& reduction, const float* stack, std::int64_t k, std::int64_t n,
            float* out, GroupNorms* norms) {
  const ReductionPlan plan = plan_of(reduction, k);
  const auto kernel = kernels().reduce;
  const std::int64_t block = std::max(kTile, 2 * kBlock / k / kTile * kTile);
  const std::int64_t blocks = (n + block - 1) / block;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(blocks));
  parallel_ranges(blocks, blocks > 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<CacheLine> scratch(tile_scratch(k));
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t begin = b * block;
      kernel(plan, stack + begin, n, std::min(block, n - begin), out + begin, scratch[0].values,
             norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(b)]);
    }
  });
  put_norms(partial, k, norms);
}

void reduce_outer_products(const Reduction& reduction, const float* a, const float* b,
                           std::int64_t k, std::int64_t m, std::int64_t n, float* out,
                           GroupNorms* norms) {
  const ReductionPlan plan = plan_of(reduction, k);
  const auto kernel = kernels().reduce_outer_products;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(m));
  parallel_ranges(m, k * m * n > kBlock, [&](std::int64_t first, std::int64_t last) {
    std::vector<CacheLine> scratch(tile_scratch(k));
    for (std::int64_t o = first; o < last; ++o) {
      kernel(plan, a + o, m, b, n, n, out + o * n, scratch[0].values,
             norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(o)]);
    }
  });
  put_norms(partial, k, norms);
}

void reduce_products(const Reduction& reduction, std::span<const Product> products, float* out,
                     GroupNorms* norms) {
  const ReductionPlan plan = plan_of(reduction, std::ssize(products));
  const ProductKernel& kernel = *kernels().product;
  const std::int64_t m = products[0].m, n = products[0].n;
  // Pieces of as many rows as stay in the second-level cache for all groups, one tile wide.
  constexpr std::int64_t kRows = 512;
  const std::int64_t rows = std::min(m, std::max(kernel.rows, kRows / plan.k));
  const std::int64_t pieces = (m + rows - 1) / rows, tiles = (n + kTile - 1) / kTile;
  std::vector<NormSums> partial(norms == nullptr ? 0 : static_cast<std::size_t>(pieces * tiles));
  const auto reduce_tiles = [&](std::int64_t begin_tile, std::int64_t end_tile) {
    thread_local std::vector<CacheLine> packed, stack, scratch;
    packed.resize(static_cast<std::size_t>(kernel.buffer / 16));
    scratch.resize(std::max(scratch.size(), tile_scratch(plan.k)));
    stack.resize(std::max(stack.size(), static_cast<std::size_t>(rows) * tile_scratch(plan.k)));
    for (std::int64_t t = begin_tile; t < end_tile; ++t) {
      const std::int64_t piece = t / tiles, first = t % tiles * kTile;
      const std::int64_t begin = piece * m / pieces, end = (piece + 1) * m / pieces;
      const std::int64_t width = std::min(kTile, n - first), size = (end - begin) * kTile;
      float* to = stack[0].values;
      if (width < kTile) std::fill_n(to, plan.k * size, 0.0f);  // beyond it zeros are expected
      for (Product p : products) {
        p.a.data += begin * p.a.row;
        p.b.data += first * p.b.column;
        p.m = end - begin;
        p.n = width;
        p.c = to;
        p.c_row = kTile;
        for (std::int64_t panel = 0; panel * kernel.columns < width; ++panel) {
          kernel.multiply_panel(p, panel, packed[0].values);
        }
        to += size;
      }
      kernels().reduce_rows(plan, stack[0].values, size, end - begin, width,
                            out + begin * n + first, n, scratch[0].values,
                            norms == nullptr ? nullptr : &partial[static_cast<std::size_t>(t)]);
    }
  };
  parallel_ranges(pieces * tiles, plan.k * m * n > kBlock, reduce_tiles);
  put_norms(partial, plan.k, norms);
}

void rolling_update(std::span<const ParameterArrays> parameters, std::int64_t w, std::int64_t slot,
                    bool full, const Reduction& reduction, const SgdCoefficients& coefficients) {
  constexpr std::int64_t kPiece = 16 * kTile;  // its slots, p and g fit into the first-level cache
  const ReductionPlan plan = plan_of(reduction, w);
  const auto decay = static_cast<float>(coefficients.weight_decay);
  SgdCoefficients without_decay = coefficients;
  without_decay.weight_decay = 0.0;
  for_each_block(parameters, [&](const ParameterArrays& a, std::int64_t begin, std::int64_t size) {
    thread_local std::vector<CacheLine> scratch;
    scratch.resize(std::max(scratch.size(), tile_scratch(w)));
    CacheLine reduced[kPiece / 16];
    for (std::int64_t i = begin; i < begin + size; i += kPiece) {
      const std::int64_t piece = std::min(kPiece, begin + size - i);
      kernels().decayed_gradient(a.g + i, a.p + i, decay, a.window + slot * a.n + i, piece);
      if (!full) continue;
      kernels().reduce(plan, a.window + i, a.n, piece, reduced[0].values, scratch[0].values,
                       nullptr);
      update_range(a.p + i, reduced[0].values, a.v == nullptr ? nullptr : a.v + i, piece,
                   without_decay);
    }
  });
}

}  // namespace cograd::simd
