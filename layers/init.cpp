#include "layers/init.h"

#include <cmath>
#include <vector>

#include "engine/backend.h"

namespace cograd::init {
namespace {

template <class Draw>
Tensor filled(const Shape& shape, Draw&& draw) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(draw());
  return Tensor::from(values, shape, reference_backend());
}

}  // namespace

Fan fan_of(const Shape& weight) {
  require<ShapeError>(weight.rank() >= 2, "[init] a weight has at least 2 axes, not {}",
                      weight.str());
  const auto area = static_cast<double>(weight.inner().inner().numel());
  return {static_cast<double>(weight[1]) * area, static_cast<double>(weight[0]) * area};
}

Tensor constant(const Shape& shape, double value) {
  return filled(shape, [&] { return value; });
}

Tensor normal(const Shape& shape, double standard_deviation, Random& random) {
  return filled(shape, [&] { return standard_deviation * random.normal(); });
}

Tensor uniform(const Shape& shape, double bound, Random& random) {
  return filled(shape, [&] { return random.uniform(-bound, bound); });
}

Tensor kaiming_normal(const Shape& weight, Random& random) {
  return normal(weight, std::sqrt(2.0 / fan_of(weight).out), random);
}

Tensor kaiming_uniform(const Shape& shape, double fan_in, Random& random) {
  return uniform(shape, 1.0 / std::sqrt(fan_in), random);
}

Tensor xavier_normal(const Shape& weight, Random& random) {
  const Fan fan = fan_of(weight);
  return normal(weight, std::sqrt(2.0 / (fan.in + fan.out)), random);
}

Tensor xavier_uniform(const Shape& weight, Random& random) {
  const Fan fan = fan_of(weight);
  return uniform(weight, std::sqrt(6.0 / (fan.in + fan.out)), random);
}

}  // namespace cograd::init
