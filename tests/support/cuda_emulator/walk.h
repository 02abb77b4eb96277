// Training steps on the emulated device, of which a Ledger is kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cograd/engine/dtype.h"
#include "cograd/engine/shape.h"
#include "tests/support/cuda_emulator/ledger.h"

namespace cuda_emulator {

/// Forward, backward and update by SGD, of one of models/registry.h.
struct Step {
  std::string model;
  cograd::Shape image;  ///< [C, H, W]
  std::int64_t batch = 1;
  std::string aggregator = "mean";
  cograd::Dtype precision = cograd::Dtype::f32;
  std::int64_t width = 0;  ///< of ModelOptions
};

struct Walked {
  std::vector<Entry> entries;
  /// What a step that had every op fused with its neighbours would move, from its tape: values and
  /// their gradients are each written and read once, values are read again by the backward pass;
  /// parameters are read by both passes and updated, their gradients written and read.
  std::int64_t floor = 0;
};

/// The entries of one step, after those that try algorithms out and fill the rolling window. With
/// Watch::shapes the device has the 132 multiprocessors of an H100.
Walked walk(const Step& step, Watch watch);

/// Sums over the entries of one kind whose names begin with `name`.
struct Total {
  std::int64_t count = 0, bytes = 0;
};
Total total(const std::vector<Entry>& entries, Kind kind, const std::string& name = "");

}  // namespace cuda_emulator
