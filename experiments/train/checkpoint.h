// Checkpoints: everything that a run needs to go on to the very bits of one that was never stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/record/append_file.h"
#include "experiments/train/learning_order.h"
#include "layers/module.h"
#include "models/safetensors.h"
#include "optim/sgd.h"

namespace cograd {

/// Where a run stands between two steps, besides its tensors. The order of the data and all random
/// numbers are functions of (seed, epoch, step), so these two are the loader's and the generator's
/// state.
struct TrainingState {
  std::int64_t epoch = 1;  ///< in training, or the last one plus 1
  std::int64_t step = 0;   ///< steps of that epoch that are done
  /// Since the last row of train.csv.
  double loss_sum = 0.0;
  std::int64_t examples = 0;
  std::int64_t batches = 0;
  /// Of this epoch so far, by parameter.
  std::map<std::string, std::vector<double>> coherence{};
  std::map<std::string, FileState> files{};  ///< RunDirectory::sync()
};

/// Over the training state and all tensors of a checkpoint, which are the host's: what it says
/// under "checksum".
std::string checksum_of_checkpoint(const Safetensors& content);

/// How long a run is: a checkpoint lies within.
struct RunLength {
  std::int64_t epochs = 0, steps_per_epoch = 0;
};

/// A safetensors file: the model's state under "model.NAME", the optimizer's momentum buffers and
/// rolling windows under "velocity.NAME" and "window.NAME", the learning order, and as metadata the
/// rest and a checksum over everything. There is the old checkpoint or the new one at every moment.
/// Throws IoError.
void save_checkpoint(const std::filesystem::path& path, Module& model, const Sgd& optimizer,
                     const LearningOrder& order, const TrainingState& state);

/// Restores model, optimizer and learning order. Throws IoError or FormatError for a file that is
/// none or damaged, or has numbers that no run of this length has; ValueError, ShapeError or
/// DtypeError for one of another model or optimizer.
TrainingState load_checkpoint(const std::filesystem::path& path, Module& model, Sgd& optimizer,
                              LearningOrder& order, const RunLength& length);

}  // namespace cograd
