// The runs of a study that nobody has begun.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cograd/engine/parallel/job_counter.h"

namespace cograd {

/// Hands out runs, each once. One process of a worker or of a team of ranks asks it.
class RunQueue {
 public:
  virtual ~RunQueue() = default;
  /// The number of the next run; nothing when all have been taken.
  virtual std::optional<std::size_t> next() = 0;
};

/// The runs of a list in its order, for one process.
class ListQueue final : public RunQueue {
 public:
  explicit ListQueue(std::vector<std::size_t> runs) : runs_(std::move(runs)) {}
  std::optional<std::size_t> next() override {
    if (taken_ == runs_.size()) return std::nullopt;
    return runs_[taken_++];
  }

 private:
  std::vector<std::size_t> runs_;
  std::size_t taken_ = 0;
};

/// The same list on every rank of a job: each run goes to the rank that asks first.
class RankQueue final : public RunQueue {
 public:
  explicit RankQueue(std::vector<std::size_t> runs) : runs_(std::move(runs)) {}
  std::optional<std::size_t> next() override {
    const std::size_t taken = counter_.next();
    if (taken >= runs_.size()) return std::nullopt;
    return runs_[taken];
  }

 private:
  std::vector<std::size_t> runs_;
  JobCounter counter_;
};

}  // namespace cograd
