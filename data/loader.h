// The loader: worker threads decode the batches of a data set ahead of time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cograd/data/batch.h"
#include "cograd/data/dataset.h"

namespace cograd {

struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;
  bool drop_last = false;  ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
  int workers = 1;   ///< threads, up to 256; 0: examples are decoded in next()
  int prefetch = 4;  ///< batches that may be ready or in work ahead of next()
  /// Of every batch only the rows of part `part` of `parts` equal ones are read: those of a rank.
  /// Order and augmentation are those of the whole batches.
  int part = 0, parts = 1;
  /// Receives the message of each broken image before the image is left out of its batch; several
  /// threads may call it at once. If empty, next() throws the ImageError.
  std::function<void(const std::string&)> skip_broken{};
};

/// Returns the batches of one epoch after another. Their order and augmentation are functions of
/// (seed, epoch) alone; the number of workers changes only the speed. On a device the next batch is
/// copied while the current one is computed on. Only one thread may consume.
class Loader {
 public:
  /// Throws ValueError for options out of range or an empty data set.
  Loader(DatasetPtr dataset, LoaderOptions options, Backend& backend);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Begins `epoch` at batch `first_batch`. The rest of the previous epoch is dropped.
  void start_epoch(std::int64_t epoch, std::int64_t first_batch = 0);
  /// The next batch; nothing at the end of the epoch. A batch without a readable image has no
  /// indices and no tensors. Rethrows a worker's error about this batch, ValueError for a label that
  /// is none of the set's classes among them; the following batches still come.
  std::optional<Batch> next();
  /// Number of batches in an epoch.
  std::int64_t batches() const;
  /// Seconds that next() has waited for examples since construction.
  double stalled() const;

 private:
  class Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace cograd
