// Comparing the onednn backend with the reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/onednn/onednn_backend.h"
#include "engine/ops/ops.h"
#include "tests/catch.h"
#include "tests/gradient_check.h"

namespace cograd::testing {

inline constexpr double kTolerance = 1e-5;
inline constexpr Layout kLayouts[] = {Layout::row_major, Layout::channels_last, Layout::blocked8,
                                      Layout::blocked16};

inline Tensor fast(const Tensor& t) { return t.to(onednn_backend()); }

inline Tensor random_f32(const Shape& shape, Random& random) {
  return normal(shape, random, reference_backend(), Dtype::f32);
}

inline void check_same(const Tensor& actual, const Tensor& expected, const std::string& what,
                       double tolerance = kTolerance) {
  CAPTURE(what);
  CHECK(relative_error(actual, expected) <= tolerance);
}

/// Runs `op` forward and backward on both backends from the same values, and compares the output,
/// the gradients of the inputs and those of the parameters.
inline void compare(
    const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters, std::int64_t groups,
    const std::function<Variable(std::vector<Variable>&, std::vector<Parameter>&)>& op,
    double tolerance = kTolerance) {
  struct Outcome {
    Tensor y;
    std::vector<Variable> leaves;
    std::vector<Parameter> parameters;
  };
  const auto run = [&](Backend& backend) {
    Outcome o;
    for (const Tensor& t : inputs) {
      o.leaves.push_back(Variable::leaf(t.to(backend).clone(), Groups(t.size(0), groups)));
    }
    for (const Tensor& t : parameters) {
      Parameter p;
      p.name = "p" + std::to_string(o.parameters.size());
      p.value = t.to(backend).clone();
      o.parameters.push_back(std::move(p));
    }
    const Variable y = op(o.leaves, o.parameters);
    o.y = y.value();
    Random random(99);
    const Tensor upstream = random_f32(y.shape(), random).to(backend);
    const Variable loss =
        record("upstream", Tensor::zeros({groups}, Dtype::f32, backend), {y}, {},
               [upstream](const Tensor&, Backward& pass) { pass.input_gradient(0, upstream); });
    MedianOfMeans rule(groups);
    backward(loss, rule);
    return o;
  };
  const Outcome expected = run(reference_backend()), actual = run(onednn_backend());
  check_same(actual.y, expected.y, "output", tolerance);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_same(actual.leaves[i].gradient(), expected.leaves[i].gradient(),
               "gradient of input " + std::to_string(i), tolerance);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    check_same(actual.parameters[i].gradient, expected.parameters[i].gradient,
               "gradient of parameter " + std::to_string(i), tolerance);
  }
}

}  // namespace cograd::testing
