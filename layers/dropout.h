// Dropout layer.
#pragma once

#include "cograd/layers/module.h"

namespace cograd {

/// In training zeroes a share `rate` of the elements and scales the rest; in evaluation does
/// nothing. The mask of the n-th training pass is a function of (seed, n) alone; the counter
/// "passes" is n. Give each layer its own seed.
class Dropout final : public Module {
 public:
  Dropout(double rate, std::uint64_t seed);
  Variable forward(Variable x) override;

 private:
  double rate_;
  std::uint64_t seed_;
  std::uint64_t& passes_;
};

}  // namespace cograd
