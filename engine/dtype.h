// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cograd {

/// bf16, the upper half of an f32, is stored as its bits: see engine/bf16.h.
enum class Dtype : std::uint8_t { f32, f64, bf16, i32, i64, u8 };

constexpr std::size_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f64:
    case Dtype::i64:
      return 8;
    case Dtype::f32:
    case Dtype::i32:
      return 4;
    case Dtype::bf16:
      return 2;
    case Dtype::u8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return "f32";
    case Dtype::f64:
      return "f64";
    case Dtype::bf16:
      return "bf16";
    case Dtype::i32:
      return "i32";
    case Dtype::i64:
      return "i64";
    case Dtype::u8:
      return "u8";
  }
  return "?";
}

/// Calls visit(T{}) with the C++ type of any dtype, Half being that of bf16.
template <class Half, class Visit>
void for_any_dtype(Dtype dtype, Visit&& visit) {
  switch (dtype) {
    case Dtype::f32:
      return visit(float{});
    case Dtype::f64:
      return visit(double{});
    case Dtype::bf16:
      return visit(Half{});
    case Dtype::i32:
      return visit(std::int32_t{});
    case Dtype::i64:
      return visit(std::int64_t{});
    case Dtype::u8:
      return visit(std::uint8_t{});
  }
}

/// The type of parameters, their gradients and statistics: f32 for bf16 activations, else the same.
constexpr Dtype parameter_dtype(Dtype activations) {
  return activations == Dtype::bf16 ? Dtype::f32 : activations;
}

/// The Dtype of a C++ type: dtype_of<float> is Dtype::f32.
template <class T>
inline constexpr Dtype dtype_of = static_cast<Dtype>(255);
template <>
inline constexpr Dtype dtype_of<float> = Dtype::f32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::f64;
template <>
inline constexpr Dtype dtype_of<std::int32_t> = Dtype::i32;
template <>
inline constexpr Dtype dtype_of<std::int64_t> = Dtype::i64;
template <>
inline constexpr Dtype dtype_of<std::uint8_t> = Dtype::u8;
template <>
inline constexpr Dtype dtype_of<std::uint16_t> = Dtype::bf16;

}  // namespace cograd
