// Comparing fast backends with the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cograd/engine/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {

inline constexpr double kTolerance = 1e-5;

inline Tensor random_f32(const Shape& shape, Random& random) {
  return normal(shape, random, reference_backend(), Dtype::f32);
}

inline void check_same(const Tensor& actual, const Tensor& expected, const std::string& what,
                       double tolerance = kTolerance) {
  CAPTURE(what);
  CHECK(relative_error(actual, expected) <= tolerance);
}

/// The gradient of a loss in the compared output.
enum class Upstream : std::uint8_t {
  random,
  /// Random numbers times the output. Backends may round the input of a ReLU to either side of
  /// zero; the output is next to zero there, and so is this gradient. For shapes drawn anew.
  like_output
};

/// factors * y on y's backend: Upstream::like_output.
inline Tensor gradient_like(const Tensor& y, const Tensor& factors) {
  Tensor product = y.row_major().to(Dtype::f32).to(reference_backend()).clone();
  const float* factor = factors.data<float>();
  for (float& value : std::span(product.data<float>(), static_cast<std::size_t>(y.numel()))) {
    value *= *factor++;
  }
  return product.to(y.backend());
}

/// Runs `op` forward and backward on both backends from the same values, and compares the output,
/// the gradients of the inputs, and those of the parameters with their norms.
inline void compare(
    Backend& fast, const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters,
    std::int64_t groups,
    const std::function<Variable(std::vector<Variable>&, std::vector<Parameter>&)>& op,
    double tolerance = kTolerance, Upstream kind = Upstream::random) {
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
    const Tensor factors = random_f32(y.shape(), random);
    const Tensor upstream =
        kind == Upstream::random ? factors.to(backend) : gradient_like(y.value(), factors);
    const Variable loss =
        record("upstream", Tensor::zeros({groups}, Dtype::f32, backend), {y}, {},
               [upstream](const Tensor&, Backward& pass) { pass.input_gradient(0, upstream); });
    MedianOfMeans rule(groups);
    backward(loss, rule, {.measure_coherence = true});
    return o;
  };
  const Outcome expected = run(reference_backend()), actual = run(fast);
  check_same(actual.y, expected.y, "output", tolerance);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_same(actual.leaves[i].gradient(), expected.leaves[i].gradient(),
               "gradient of input " + std::to_string(i), tolerance);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    check_same(actual.parameters[i].gradient, expected.parameters[i].gradient,
               "gradient of parameter " + std::to_string(i), tolerance);
    const GroupNorms &norms = actual.parameters[i].norms, &wanted = expected.parameters[i].norms;
    CHECK(norms.squared_mean == Approx(wanted.squared_mean).epsilon(10 * tolerance));
    CHECK(norms.mean_squared == Approx(wanted.mean_squared).epsilon(10 * tolerance));
  }
}

/// Ways to lay out an image tensor of the backend.
using Arrangements = std::vector<std::function<Tensor(const Tensor&)>>;

// On random inputs of odd sizes, forward and backward, in f32.
void check_linear(Backend& fast, double tolerance = kTolerance);
void check_convolution(Backend& fast, double tolerance = kTolerance);
void check_batch_norm(Backend& fast);
void check_running_statistics(Backend& fast);
void check_pooling(Backend& fast, const Arrangements& arrangements);
void check_elementwise(Backend& fast);
/// Convolution, batch norm, pooling, concatenation and a linear layer behind one another.
void check_chain(Backend& fast);
/// Gradients that accumulate over windows of a batch, also over ones without rows.
void check_micro_batches(Backend& fast);
void check_updates(Backend& fast);
/// Ops on bf16 activations equal those on f32, rounded.
void check_bf16(Backend& fast);

}  // namespace cograd::testing
