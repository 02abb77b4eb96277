// The error of a run whose numbers left the finite range.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "cograd/engine/error.h"

namespace cograd {

/// A loss or a gradient became infinite or not a number in training.
class Diverged : public NonFiniteError {
 public:
  Diverged(std::int64_t epoch, std::int64_t step, const std::string& message)
      : NonFiniteError(message), epoch_(epoch), step_(step) {}
  /// "diverged at epoch 1, step 7".
  std::string where() const { return fmt::format("diverged at epoch {}, step {}", epoch_, step_); }
  std::int64_t epoch() const { return epoch_; }
  std::int64_t step() const { return step_; }

 private:
  std::int64_t epoch_, step_;
};

}  // namespace cograd
