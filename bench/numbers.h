// Inputs, and what the benchmarks of the aggregation kernels count.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace cograd::bench {

/// At least n random normal numbers, the same for every benchmark. Holds its memory: what later
/// benchmarks need more is memory of theirs, and no pointer into this one is left dangling.
class Numbers {
 public:
  explicit Numbers(std::int64_t n);
  const float* data() const& { return values_->data(); }
  const float* data() const&& = delete;  // nothing would hold the memory

 private:
  std::shared_ptr<const std::vector<float>> values_;
};

/// `elements` made and `bytes` moved per iteration, in `footprint` bytes of memory.
void count(benchmark::State& state, std::int64_t elements, std::int64_t bytes,
           std::int64_t footprint);

/// Skips a benchmark that needs more than three quarters of the free memory.
bool fits_in_memory(benchmark::State& state, std::int64_t bytes);

}  // namespace cograd::bench
