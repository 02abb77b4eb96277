// What tests of gradients share.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_check.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"

namespace cograd::testing {

/// Standard normal values of `shape`.
inline Tensor normal(const Shape& shape, Random& random, Backend& backend = reference_backend(),
                     Dtype dtype = Dtype::f64, double scale = 1.0, double shift = 0.0) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& v : values) v = shift + scale * random.normal();
  return Tensor::from(values, shape, reference_backend()).to(dtype).to(backend);
}

/// Distinct values at least 0.05 apart from each other and from 0, in random order: finite
/// differences then never cross the kink of a ReLU or a tie of a max pool.
inline Tensor spaced(const Shape& shape, Random& random) {
  const auto n = static_cast<std::size_t>(shape.numel());
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = 0.1 * (static_cast<double>(i) - static_cast<double>(n) / 2) + 0.05;
  }
  shuffle(values.begin(), values.end(), random);
  return Tensor::from(values, shape, reference_backend());
}

/// The library's, of vectors that must have one size.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  return cograd::relative_error(a, b);
}

inline double relative_error(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return relative_error(a.to(Dtype::f64).to_vector<double>(), b.to(Dtype::f64).to_vector<double>());
}

/// Checks every error against one tolerance.
struct GradientCheck : cograd::GradientCheck {
  double tolerance = 1e-7;

  void run() const {
    for (const Error& error : errors()) {
      CAPTURE(error.of);
      CHECK(error.relative <= tolerance);
    }
  }
};

/// A parameter with normal values, in double on the reference backend.
inline Parameter parameter(std::string name, const Shape& shape, Random& random,
                           double shift = 0.0) {
  Parameter p;
  p.name = std::move(name);
  p.value = normal(shape, random, reference_backend(), Dtype::f64, 1.0, shift);
  return p;
}

}  // namespace cograd::testing
