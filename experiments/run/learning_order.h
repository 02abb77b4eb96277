// Learning order: when a run learned each of its training examples, and how hard they looked early.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "data/corrupted_labels.h"
#include "experiments/run/evaluator.h"
#include "models/safetensors.h"

namespace cograd {

/// What a run found out about one training example, at the steps at which it was judged. "Learned"
/// means: predicted as labelled. The two first are what Chatterjee, "Coherent Gradients", ICLR
/// 2020, logs.
struct ExampleDifficulty {
  std::int64_t index = 0;  ///< in the whole training set
  std::int64_t label = 0, true_label = 0;
  std::optional<std::int64_t> first_learned;   ///< step at which it was first found learned
  std::optional<std::int64_t> learned_since;   ///< step since which it has been, at the end
  std::optional<std::int64_t> last_forgotten;  ///< step at which it was last found lost again
  /// How often it was. Toneva et al., "An empirical study of example forgetting", ICLR 2019.
  std::int64_t forgetting_events = 0;
  /// Judgement::error_norm and last_layer_gradient at the early epoch; NaN where there is none.
  double el2n = 0.0;
  double gradient_norm = 0.0;

  bool corrupt() const { return label != true_label; }
};

/// Follows some examples through a run.
class LearningOrder {
 public:
  explicit LearningOrder(std::size_t examples);

  /// Steps within the first epoch at which to observe: 1, 2, 5, 10, 20, 50, ... Afterwards the
  /// epochs' ends are enough.
  static bool wants(std::int64_t step);
  /// Scores are taken at the end of this epoch: a tenth of the run, at least one.
  static std::int64_t early_epoch(std::int64_t epochs);

  /// `judgements` are of the same examples each time. Broken images are left out. To observe the
  /// same twice at one step changes nothing.
  void observe(std::int64_t step, const std::vector<Judgement>& judgements);
  /// Takes the difficulty scores.
  void score(const std::vector<Judgement>& judgements);

  /// Whether example i could be read, at least once.
  bool judged(std::size_t i) const { return judged_[i] != 0; }
  /// Of example i, which stands at `index` of `data`.
  ExampleDifficulty of(std::size_t i, std::int64_t index, const CorruptedLabels& data) const;

  /// For checkpoints: adds tensors named "learning_order.NAME", and reads them. Throws ValueError
  /// or ShapeError when they are not there or of another number of examples, FormatError for steps
  /// outside -1 (never) to `last_step`.
  void save(Safetensors& content) const;
  void load(const Safetensors& content, std::int64_t last_step);

 private:
  using Steps = std::vector<std::int64_t>;  // -1: never
  /// Calls visit(name, values) on all that a checkpoint needs.
  template <class Self, class Visit>
  static void visit(Self& self, const Visit& visit);

  Steps judged_, first_learned_, learned_since_, last_forgotten_, forgetting_events_;
  std::vector<float> el2n_, gradient_norm_;
};

/// difficulty.csv: a row per example, empty where something never happened. Throws IoError, and
/// FormatError for a file that is none.
void write_difficulty(const std::filesystem::path& path,
                      const std::vector<ExampleDifficulty>& examples);
std::vector<ExampleDifficulty> read_difficulty(const std::filesystem::path& path);

/// Spearman's rank correlation, ties at their mean rank; 0 if either has but one value. Pairs with
/// a NaN are left out. Throws ShapeError unless there are as many of both.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace cograd
