// The choice of an instruction set, made when the program runs.
//
// CMake compiles each X_kernels.cpp once for every instruction set, each time with another name for
// COGRAD_SIMD_NAMESPACE. There it defines the tables of loops that X_kernels.h declares. Code in
// X_kernels.h must be plain data: the linker would merge an inline function across instruction
// sets.
#pragma once

#include <array>
#include <string_view>

namespace cograd::simd {

/// "avx512_bf16", "avx512", "avx2" or "baseline". The best that the processor and this build have,
/// unless the environment variable COGRAD_SIMD names a lower one. Throws ValueError when that is
/// unknown or not supported.
std::string_view instruction_set();
/// Replaces the choice. Throws ValueError as above.
void set_instruction_set(std::string_view name);

/// Position of instruction_set() in the order of the macros below.
std::size_t instruction_set_index();

}  // namespace cograd::simd

/// Repeats a declaration in the namespace of each instruction set.
#define COGRAD_FOR_EACH_INSTRUCTION_SET(...) \
  namespace simd_baseline {                  \
  __VA_ARGS__                                \
  }                                          \
  namespace simd_avx2 {                      \
  __VA_ARGS__                                \
  }                                          \
  namespace simd_avx512 {                    \
  __VA_ARGS__                                \
  }                                          \
  namespace simd_avx512_bf16 {               \
  __VA_ARGS__                                \
  }

/// The table of that name for instruction_set().
#if defined(__x86_64__)
#define COGRAD_TABLE_IN_FORCE(name)                                                                \
  ([]() -> const auto& {                                                                           \
    static constexpr std::array tables{&simd_baseline::name, &simd_avx2::name, &simd_avx512::name, \
                                       &simd_avx512_bf16::name};                                   \
    return *tables[::cograd::simd::instruction_set_index()];                                       \
  }())
#else
#define COGRAD_TABLE_IN_FORCE(name) (simd_baseline::name)
#endif
