// The ranks that train one run together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cograd/engine/parallel/communicator.h"

namespace cograd {

/// Rank 0 leads: it alone writes files and shows progress. A team of one exchanges nothing.
class Team {
 public:
  /// One rank.
  explicit Team(Backend& backend);
  Team(std::unique_ptr<Communicator> ranks, Backend& backend);

  int rank() const { return ranks_->rank(); }
  int size() const { return ranks_->size(); }
  bool leads() const { return rank() == 0; }
  Communicator& ranks() { return *ranks_; }

  /// Runs `part` on every rank, and returns rank 0's `wish` on all. If parts throw, all ranks throw
  /// what the first of these has: Diverged, ImageError or Interrupted. Another error it throws alone,
  /// the others SaidElsewhere, and the job is to end on all ranks. `part` makes no exchanges.
  bool together(const std::function<void()>& part, bool wish = false);
  /// All ranks' bytes, in their order; each gives as many.
  std::vector<std::byte> gathered(std::span<const std::byte> mine);
  /// Whether rank 0 has `wish`.
  bool told(bool wish) {
    return together([] {}, wish);
  }

 private:
  Backend* backend_;
  std::unique_ptr<Communicator> ranks_;
};

}  // namespace cograd
