// Learning order: when a run learned each of its training examples, and their difficulty scores.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/train/evaluator.h"
#include "cograd/models/safetensors.h"

namespace cograd {

/// Follows some examples through a run: an example is learned while it is predicted as labelled.
class LearningOrder {
 public:
  explicit LearningOrder(std::size_t examples);

  /// True for the steps of the first epoch at which to observe: 1, 2, 5, 10, 20, 50, ... Later the
  /// ends of epochs suffice.
  static bool wants(std::int64_t step);
  /// The epoch after which difficulty is scored: a tenth of the run, at least 1.
  static std::int64_t early_epoch(std::int64_t epochs);

  /// Takes one result per example, always in the same order. Images that were not read are skipped.
  /// To observe a step twice changes nothing. Throws ShapeError for another number of results.
  void observe(std::int64_t step, const std::vector<ExampleResult>& results);
  /// Sets the difficulty scores.
  void score(const std::vector<ExampleResult>& results);

  /// Adds the margins after an epoch; their mean over the epochs is AUM. Call it once an epoch.
  void add_margins(const std::vector<ExampleResult>& results);

  /// Whether the image of example i was read at least once.
  bool was_read(std::size_t i) const { return read_[i] != 0; }
  /// The row of example i, which is example `index` of `data`.
  ExampleDifficulty of(std::size_t i, std::int64_t index, const CorruptedLabels& data) const;

  /// Adds the tensors "learning_order.NAME" to a checkpoint, and reads them back. A checkpoint from
  /// before margins were measured leaves AUM unknown. load() throws ValueError for a missing tensor, ShapeError for another number of examples, FormatError for
  /// steps outside -1 (never) to `last_step`.
  void save(Safetensors& content) const;
  void load(const Safetensors& content, std::int64_t last_step);

 private:
  using Steps = std::vector<std::int64_t>;  // -1: never
  /// Calls visit(name, values) for each tensor of a checkpoint.
  template <class Self, class Visit>
  static void visit(Self& self, const Visit& visit);

  Steps read_, first_learned_, learned_since_, last_forgotten_, forgetting_events_;
  std::vector<float> el2n_, gradient_norm_;
  std::vector<double> margin_sum_;
  Steps margin_epochs_;  // epochs at whose end the image was read
};

}  // namespace cograd
