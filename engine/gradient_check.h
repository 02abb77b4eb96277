// Finite differences in double: the proof that an op's backward belongs to its forward.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cograd/engine/autograd.h"

namespace cograd {

/// || a - b || / || b ||; || a || where b is zero; infinite for vectors of different sizes, as of a
/// gradient that was never written.
double relative_error(const std::vector<double>& a, const std::vector<double>& b);

/// A graph under test, in f64 on the reference backend: its inputs and parameters, and the function
/// that builds the losses of the groups, [K], from the inputs.
///
///   GradientCheck check{.inputs = {x}, .parameters = {&gamma}, .groups = 3};
///   check.loss = [&](const auto& in) { return projected_loss(my_op(in[0], gamma), weights); };
///   for (const auto& e : check.errors()) fmt::print("{}: {}\n", e.of, e.relative);
struct GradientCheck {
  std::vector<Tensor> inputs{};  ///< the first axis is that of the batch
  std::vector<Parameter*> parameters{};
  std::int64_t groups = 1;  ///< K
  std::function<Variable(const std::vector<Variable>&)> loss{};
  double step = 1e-5;  ///< the differences are (f(x + step) - f(x - step)) / (2 step)

  struct Error {
    std::string of;         ///< "input 0", "gamma in groups" or "gamma by the median"
    double relative = 0.0;  ///< || gradient - differences || / || differences ||
  };
  /// Of each input the gradient of the sum of the groups' losses. Of each parameter all K group
  /// gradients, and their median: an op may reduce gradients without storing them. Throws DtypeError
  /// for tensors that are not f64, and what the op throws.
  std::vector<Error> errors() const;

 private:
  Variable leaf(Tensor t) const;
  std::vector<double> losses() const;
  std::vector<std::vector<double>> differences(Tensor t) const;
};

/// [K], differentiable: for each group the sum of y * weight over its rows. Random weights turn any
/// op into a loss whose gradient sees every output. Both of the same shape, f64, on a CPU.
Variable projected_loss(const Variable& y, const Tensor& weight);

}  // namespace cograd
