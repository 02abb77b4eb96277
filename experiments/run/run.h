// One training run: its settings, and what it measured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/dtype.h"

namespace cograd {

/// Everything that decides the outcome of one run, given its data.
struct RunSettings {
  std::string aggregator = "mean";  ///< as parse_aggregator() reads it
  std::int64_t batch_size = 32;
  double corrupt_fraction = 0.0;  ///< of the training labels, drawn at random
  std::string model = "mlp";
  std::int64_t width = 0;                        ///< ModelOptions::width
  std::optional<double> dropout = std::nullopt;  ///< ModelOptions::dropout
  Dtype precision = Dtype::f32;  ///< of activations: f32 or bf16; parameters are f32
  std::int64_t epochs = 1;
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;
  std::string schedule = "constant";  ///< constant, step or cosine
  bool force_momentum = false;        ///< with the rolling aggregators too
  std::uint64_t seed = 1;             ///< of weights, order and corruption
  int workers = 1;                    ///< loader threads; no influence on results
  double checkpoint_every = 60.0;     ///< seconds between checkpoints; no influence on results

  friend bool operator==(const RunSettings&, const RunSettings&) = default;
};

/// Whether two runs differ in their seeds alone, as far as results go.
bool same_but_seed(const RunSettings& a, const RunSettings& b);

/// "m3 b30": how tables and figures call the run.
std::string label_of(const RunSettings& settings);
/// "m3_b30_noise50", the name of its directory; with "_lr0.03" behind unless the learning rate is
/// the usual 0.1, and "_seed2" unless the seed is 1.
std::string directory_name_of(const RunSettings& settings);
/// A fraction in percent without needless digits: "50", "12.5".
std::string percent_text(double fraction);
/// "50 % noise", "no noise".
std::string noise_text(double corrupt_fraction);

/// A model over some examples; accuracies in percent. Without examples (no label is corrupt, say)
/// count is 0 and the rest means nothing.
struct Evaluation {
  std::int64_t count = 0;
  double loss = 0.0, acc1 = 0.0, acc5 = 0.0;
};

/// What is measured before the first epoch (epoch 0) and after each.
struct EpochRecord {
  std::int64_t epoch = 0;
  Evaluation pristine;      ///< training examples with their true label
  Evaluation corrupt;       ///< training examples with a false label, judged by that label
  Evaluation train_sample;  ///< training examples of both kinds
  Evaluation test;
  std::map<std::string, Evaluation> further;  ///< StudyData::further_tests

  /// Training minus test accuracy, in points.
  double gap() const { return train_sample.acc1 - test.acc1; }
};

struct RunRecord {
  RunSettings settings;
  std::filesystem::path folder;  ///< its directory
  /// Why it has no result: "diverged at epoch 1, step 7". Empty for a finished run.
  std::string failure{};
  /// Images that could not be read and are absent from all its numbers.
  std::int64_t skipped_images = 0;
  std::int64_t groups = 1;            ///< K of the aggregator at this batch size
  double seconds = 0.0;               ///< the whole run
  double training_seconds = 0.0;      ///< of these: in training steps, waiting for data included
  std::vector<EpochRecord> epochs{};  ///< of a failed run those before its failure, perhaps none

  bool finished() const { return failure.empty(); }
  const EpochRecord& last() const { return epochs.back(); }
};

}  // namespace cograd
