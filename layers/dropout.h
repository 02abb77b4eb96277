// Dropout layer.
#pragma once

#include "layers/module.h"

namespace cograd {

/// Zeroes a share `rate` of the elements while training and scales the rest; nothing in
/// evaluation. The mask of the n-th training pass is a function of (seed, n) alone; the counter
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
