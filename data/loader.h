// The loader: batches of a data set, decoded ahead of time by worker threads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/batch.h"
#include "data/dataset.h"

namespace cograd {

struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;
  bool drop_last = false;  ///< leave out a last batch that is not full
  std::uint64_t seed = 0;
  int workers = 1;   ///< threads, up to 256; 0: examples are decoded in next()
  int prefetch = 4;  ///< batches that may be ready or under way ahead of next()
  /// What to do about a broken image: told what is wrong with it, maybe from several threads at
  /// once, before it is left out of its batch. Without this next() throws the ImageError.
  std::function<void(const std::string&)> skip_broken{};
};

/// Hands out the batches of one epoch after another. Which example comes when is a function of
/// (seed, epoch) alone, and so is its augmentation; the number of workers only changes how fast it
/// comes. On a device the batch after the one handed out travels there while that one is computed
/// on. One consumer.
class Loader {
 public:
  /// Throws ValueError for options out of range or an empty data set.
  Loader(DatasetPtr dataset, LoaderOptions options, Backend& backend);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Begins `epoch` at batch `first_batch`, dropping what is left of the one before.
  void start_epoch(std::int64_t epoch, std::int64_t first_batch = 0);
  /// The next batch, or nothing at the end of the epoch. One of whose images none can be read has
  /// no indices and no tensors. Rethrows what a worker met in decoding it; the batches after it
  /// still come.
  std::optional<Batch> next();
  /// Batches of one epoch.
  std::int64_t batches() const;
  /// Seconds that next() has waited for examples since the loader was made.
  double stalled() const;

 private:
  class Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace cograd
