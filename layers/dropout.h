// Dropout layer.
#pragma once

#include "layers/module.h"

namespace cograd {

/// Zeroes a share `rate` of the elements while training and scales the rest; nothing in
/// evaluation. The mask of the n-th training pass is a function of (seed, n) alone; passes()
/// is what a checkpoint must keep to resume. Give each layer its own seed.
class Dropout final : public Module {
 public:
  Dropout(double rate, std::uint64_t seed);
  Variable forward(Variable x) override;

  std::uint64_t passes() const { return passes_; }
  void set_passes(std::uint64_t passes) { passes_ = passes; }

 private:
  double rate_;
  std::uint64_t seed_;
  std::uint64_t passes_ = 0;
};

}  // namespace cograd
