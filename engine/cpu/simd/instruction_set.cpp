#include "cograd/engine/cpu/simd/instruction_set.h"

#include <atomic>
#include <cstdlib>

#include "cograd/engine/error.h"

namespace cograd::simd {
namespace {

/// In the order of COGRAD_TABLE_IN_FORCE, lowest first.
constexpr std::array<std::string_view, 4> kNames{"baseline", "avx2", "avx512", "avx512_bf16"};

bool supported(std::size_t set) {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  switch (set) {
    case 1:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case 2:
      return avx512;
    case 3:
      return avx512 && __builtin_cpu_supports("avx512bf16");
    default:
      break;
  }
#endif
  return set == 0;
}

std::size_t find(std::string_view name) {
  for (std::size_t set = 0; set < kNames.size(); ++set) {
    if (kNames[set] != name) continue;
    require<ValueError>(supported(set), "[simd] this processor has no {}: expected a lower one",
                        name);
    return set;
  }
  throw ValueError(
      fmt::format("[simd] unknown instruction set '{}': expected avx512_bf16, avx512, avx2 "
                  "or baseline",
                  name));
}

std::size_t best() {
  const char* forced = std::getenv("COGRAD_SIMD");
  if (forced != nullptr && *forced != '\0') return find(forced);
  std::size_t set = kNames.size() - 1;
  while (!supported(set)) --set;
  return set;
}

std::atomic<std::size_t>& chosen() {
  static std::atomic<std::size_t> set{best()};
  return set;
}

}  // namespace

std::size_t instruction_set_index() { return chosen().load(std::memory_order_relaxed); }

std::string_view instruction_set() { return kNames[instruction_set_index()]; }

void set_instruction_set(std::string_view name) { chosen() = find(name); }

}  // namespace cograd::simd
