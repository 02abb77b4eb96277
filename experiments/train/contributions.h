// The contributions of single examples, and of pristine and corrupt ones, to the steps of a run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cograd/data/batch.h"
#include "cograd/engine/dtype.h"
#include "cograd/experiments/record/contribution_file.h"
#include "cograd/layers/module.h"

namespace cograd {

/// Whether an example's gradient is its own: batch norm makes it depend on the batch, and dropout
/// on the pass.
bool has_example_gradients(Module& model);

/// <g, g_i / B> / <g, g> for each of the batch's examples, with g = sum_i g_i / B; they add up to
/// 1. Empty if g is zero or not finite. Overwrites the parameters' gradients.
std::vector<double> example_contributions(Module& model, const Batch& batch, Dtype precision);

/// Adds up the contributions of pristine and corrupt examples over a run, in the real world and in
/// 100 null worlds: each permutes over the whole training set who is pristine.
class Contributions {
 public:
  static constexpr std::size_t kNullWorlds = 100;

  /// `pristine` has an element per training example.
  Contributions(const std::vector<bool>& pristine, std::uint64_t seed);

  /// Of a batch with these example_contributions() and `indices` in the training set, that stands
  /// for `steps` steps.
  ContributionRow add(std::span<const double> examples, std::span<const std::int64_t> indices,
                      double steps);

  /// For a checkpoint: empty before the first batch. Restoring throws ValueError for another number
  /// of values.
  std::vector<double> integrals() const;
  void restore(const std::vector<double>& integrals);

 private:
  /// Who is pristine, and the integrals.
  struct World {
    std::vector<bool> pristine;
    double integral = 0.0, corrupt_integral = 0.0;
  };
  std::vector<World> worlds_;  // the real one first
};

}  // namespace cograd
