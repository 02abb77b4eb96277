// difficulty.csv: when a run learned each of its training examples, and their difficulty scores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <vector>

namespace cograd {

/// A training example's history. It is learned while the model predicts its label, as seen at the
/// steps that LearningOrder observes. Chatterjee, "Coherent Gradients", ICLR 2020, logs the first
/// two steps.
struct ExampleDifficulty {
  std::int64_t index = 0;  ///< in the whole training set
  std::int64_t label = 0, true_label = 0;
  std::optional<std::int64_t> first_learned;   ///< step at which it was learned first
  std::optional<std::int64_t> learned_since;   ///< step since which it has stayed learned
  std::optional<std::int64_t> last_forgotten;  ///< step at which it was forgotten last
  /// Number of forgettings. Toneva et al., "An empirical study of example forgetting", ICLR 2019.
  std::int64_t forgetting_events = 0;
  /// EL2N and the norm of the last layer's gradient after LearningOrder::early_epoch(); NaN if not
  /// scored.
  double el2n = 0.0;
  double gradient_norm = 0.0;
  /// AUM: the logit of the label minus the largest other logit, averaged over the ends of all epochs;
  /// NaN if unknown. Pleiss et al., "Identifying mislabeled data using the area under the margin
  /// ranking", NeurIPS 2020, who take the logits of the training steps.
  double aum = std::numeric_limits<double>::quiet_NaN();

  bool corrupt() const { return label != true_label; }
};

/// A step later than all others: where examples are ranked by steps, that of one that was never learned.
inline constexpr double kNeverLearned = std::numeric_limits<double>::infinity();

/// difficulty.csv: a row per example; a cell is empty if the event never happened or the score is not
/// known. Files from before AUM lack its column. Both throw IoError; reading throws FormatError for
/// a malformed file.
void write_difficulty(const std::filesystem::path& path,
                      const std::vector<ExampleDifficulty>& examples);
std::vector<ExampleDifficulty> read_difficulty(const std::filesystem::path& path);

}  // namespace cograd
