#include "cograd/layers/init.h"

#include <algorithm>
#include <cmath>

#include "cograd/engine/backend.h"
#include "cograd/engine/threads.h"

namespace cograd::init {
namespace {

/// A tensor of draw(random). Each element consumes `words` random words, so every thread can seek
/// to its place and the result does not depend on their number.
template <class Draw>
Tensor filled(const Shape& shape, Random& random, std::uint64_t words, const Draw& draw) {
  constexpr std::int64_t kPiece = 4096;
  Tensor tensor = Tensor::empty(shape, Dtype::f32, reference_backend());
  float* values = tensor.data<float>();
  const std::int64_t n = shape.numel();
  const std::uint64_t start = random.position();
  parallel_ranges(n, n > kPiece, [&](std::int64_t begin, std::int64_t end) {
    Random here = random;
    here.seek(start + words * static_cast<std::uint64_t>(begin));
    for (std::int64_t i = begin; i < end; ++i) values[i] = static_cast<float>(draw(here));
  });
  random.seek(start + words * static_cast<std::uint64_t>(n));
  return tensor;
}

}  // namespace

Fan fan_of(const Shape& weight) {
  require<ShapeError>(weight.rank() >= 2, "[init] a weight has at least 2 axes, not {}", weight);
  const auto area = static_cast<double>(weight.inner().inner().numel());
  return {static_cast<double>(weight[1]) * area, static_cast<double>(weight[0]) * area};
}

Tensor constant(const Shape& shape, double value) {
  return Tensor::full(shape, value, Dtype::f32, reference_backend());
}

Tensor normal(const Shape& shape, double std, Random& random) {
  return filled(shape, random, 2, [=](Random& r) { return std * r.normal(); });
}

Tensor uniform(const Shape& shape, double bound, Random& random) {
  return filled(shape, random, 1, [=](Random& r) { return r.uniform(-bound, bound); });
}

Tensor kaiming_normal(const Shape& weight, Random& random) {
  return normal(weight, std::sqrt(2.0 / fan_of(weight).out), random);
}

Tensor kaiming_uniform(const Shape& shape, double fan_in, Random& random) {
  return uniform(shape, 1.0 / std::sqrt(fan_in), random);
}

Tensor xavier_normal(const Shape& weight, Random& random, double gain) {
  const Fan fan = fan_of(weight);
  return normal(weight, gain * std::sqrt(2.0 / (fan.in + fan.out)), random);
}

Tensor xavier_uniform(const Shape& weight, Random& random) {
  const Fan fan = fan_of(weight);
  return uniform(weight, std::sqrt(6.0 / (fan.in + fan.out)), random);
}

}  // namespace cograd::init
