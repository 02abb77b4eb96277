// Checkpoints: the state from which a run continues bit for bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cograd/experiments/record/append_file.h"
#include "cograd/experiments/train/learning_order.h"
#include "cograd/layers/module.h"
#include "cograd/models/safetensors.h"
#include "cograd/optim/optimizer.h"

namespace cograd {

/// The position of a run between two steps, besides its tensors. The order of the data and all
/// random numbers are functions of (seed, epoch, step), so the loader and the generator need no
/// other state.
struct TrainingState {
  std::int64_t epoch = 1;  ///< the current epoch; after training, the last one plus 1
  std::int64_t step = 0;   ///< finished steps of the current epoch
  /// Sums since the last row of train.csv.
  double loss_sum = 0.0;
  std::int64_t examples = 0;
  std::int64_t batches = 0;
  std::vector<double> contributions{};  ///< Contributions::integrals()
  /// Coherences of this epoch so far, by parameter.
  std::map<std::string, std::vector<double>> coherence{};
  std::map<std::string, FileState> files{};  ///< RunDirectory::sync()
};

/// The checksum of a checkpoint, over its training state and all its tensors, which must be on the
/// host.
std::string checksum_of_checkpoint(const Safetensors& content);

/// The length of a run; its checkpoints lie within.
struct RunLength {
  std::int64_t epochs = 0, steps_per_epoch = 0;
};

/// Writes a safetensors file, atomically: the model's state under "model.NAME", the optimizer's
/// under "STATE.NAME", such as "velocity.NAME" and "window.NAME", the learning order, and as metadata
/// the training state and a checksum of everything. Throws IoError.
void save_checkpoint(const std::filesystem::path& path, Module& model, const Optimizer& optimizer,
                     const LearningOrder& order, const TrainingState& state);

/// Restores model, optimizer and learning order. Throws IoError or FormatError for a missing or
/// damaged file, or numbers that no run of this length has; ValueError, ShapeError or DtypeError
/// for a checkpoint of another model or optimizer.
TrainingState load_checkpoint(const std::filesystem::path& path, Module& model,
                              Optimizer& optimizer, LearningOrder& order, const RunLength& length);

}  // namespace cograd
