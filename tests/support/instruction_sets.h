// The instruction sets of this machine, one at a time, and numbers to try them on.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"

namespace cograd::testing {

inline std::vector<std::string> instruction_sets() {
  const std::string best(simd::instruction_set());
  std::vector<std::string> names;
  for (const char* name : {"baseline", "avx2", "avx512", "avx512_bf16"}) {
    try {
      simd::set_instruction_set(name);
      names.emplace_back(name);
    } catch (const ValueError&) {  // not on this machine
    }
  }
  simd::set_instruction_set(best);
  return names;
}

/// Chooses an instruction set for a scope.
class Using {
 public:
  explicit Using(const std::string& name) : before_(simd::instruction_set()) {
    simd::set_instruction_set(name);
  }
  ~Using() { simd::set_instruction_set(before_); }

 private:
  std::string before_;
};

inline std::vector<float> numbers(std::int64_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = static_cast<float>(random.uniform(-2.0, 2.0));
  return x;
}

/// How many of `got` are not `expected`: relative, with slack for a sum that cancels to nearly nothing; the same infinity, or both NaN.
inline int count_different(const std::vector<float>& got, const std::vector<float>& expected,
                           double tolerance) {
  int different = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = got[i], b = expected[i];
    const bool same = a == b || (std::isnan(a) && std::isnan(b)) ||
                      std::abs(a - b) <= tolerance * std::max(std::abs(b), 1e-2);
    different += !same;
  }
  return different;
}

}  // namespace cograd::testing
