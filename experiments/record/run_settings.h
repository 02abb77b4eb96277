// The settings of a run, and how tables, figures and folders call it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cograd/engine/dtype.h"

namespace cograd {

enum class NoiseKind : std::uint8_t { uniform, asymmetric, matrix, matching, given };

/// The kind of noise that RunSettings::noise names. Throws ValueError.
NoiseKind noise_kind(const std::string& noise);
/// Whether `text` can follow the colon of RunSettings::noise: letters, digits, dots, dashes and
/// underscores.
bool is_noise_word(std::string_view text);
inline constexpr std::size_t kLongestNoiseWord = 60;

/// All that determines the results of a run, given its data.
struct RunSettings {
  std::string aggregator = "mean";  ///< for parse_aggregator()
  std::int64_t batch_size = 32;
  /// Of the training labels, to draw at random; of noise that has no such setting, the share of
  /// false labels.
  double corrupt_fraction = 0.0;
  /// "uniform", "asymmetric", "matrix:NAME" (of the file), "matching:COLUMN" or "given:COLUMN" (of
  /// the label file).
  std::string noise = "uniform";
  std::string model = "mlp";
  std::int64_t width = 0;                        ///< ModelOptions::width
  std::optional<double> dropout = std::nullopt;  ///< ModelOptions::dropout
  Dtype precision = Dtype::f32;  ///< of activations: f32 or bf16; parameters are f32
  std::int64_t epochs = 1;
  std::string optimizer = "sgd";  ///< for make_optimizer()
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;
  std::string schedule = "constant";  ///< for make_schedule()
  double warmup = 0.0;                ///< epochs of WarmUp before it; 0: none
  bool force_momentum = false;        ///< with the rolling aggregators too
  bool sync_batch_norm = false;       ///< over the ranks that hold a group
  bool contributions = false;         ///< contributions.csv; no influence on the other results
  std::uint64_t seed = 1;             ///< of weights, order and corruption
  int workers = 1;                    ///< loader threads; no influence on results
  double checkpoint_every = 60.0;     ///< seconds between checkpoints; no influence on results
  /// How a report over several data sets calls the run's data; empty elsewhere, and in no file of a
  /// run.
  std::string data{};

  friend bool operator==(const RunSettings&, const RunSettings&) = default;
};

/// Whether two runs differ only in their seeds and in settings without influence on results.
bool same_but_seed(const RunSettings& a, const RunSettings& b);

/// "m3 b30", with another optimizer than sgd "m3 b30 adam", with other noise than uniform
/// "m3 b30 asymmetric", over several data sets "m3 b30 mnist": how tables and figures call the run.
std::string label_of(const RunSettings& settings);
/// "m3 b30, 50 % noise, learning rate 0.1, seed 2".
std::string title_of(const RunSettings& settings);
/// The name of the run's directory: "m3_b30_noise50", then "-asymmetric" or another kind of noise
/// unless it is uniform, "_adam" unless the optimizer is sgd, "_lr0.03" unless the learning rate is
/// 0.1, and "_seed2" unless the seed is 1.
std::string directory_name_of(const RunSettings& settings);
/// A fraction in percent, in the shortest form: "50", "12.5".
std::string percent_text(double fraction);
/// "50 % noise", "no noise", with four digits.
std::string noise_text(double corrupt_fraction);

}  // namespace cograd
