#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "engine/error.h"
#include "engine/random.h"

namespace cograd {
namespace {

/// Streams of the seed: epoch e is shuffled by stream kShuffle + e.
constexpr std::uint64_t kShuffle = std::uint64_t{1} << 32;

/// A decoded batch in host memory, or what went wrong.
struct Decoded {
  std::vector<float> images;
  std::vector<std::int64_t> labels, indices;
  std::exception_ptr error;
};

}  // namespace

/// The threads and what they share. A worker takes the number of the next batch to decode, as long
/// as that is less than `prefetch` ahead of the consumer, and leaves the result under its number.
class Loader::Workers {
 public:
  Workers(DatasetPtr dataset, LoaderOptions options, Backend& backend)
      : dataset_(std::move(dataset)), options_(options), backend_(backend) {
    const std::int64_t n = dataset_->size();
    require<ValueError>(n >= 1, "[loader] {} is empty", dataset_->name());
    require<ValueError>(options.batch_size >= 1, "[loader] the batch size must be at least 1, not {}",
                        options.batch_size);
    require<ValueError>(!options.drop_last || options.batch_size <= n,
                        "[loader] a batch of {} is larger than {} with its {} examples",
                        options.batch_size, dataset_->name(), n);
    require<ValueError>(options.workers >= 0 && options.prefetch >= 1,
                        "[loader] expected at least 0 workers and a prefetch of 1, not {} and {}",
                        options.workers, options.prefetch);
    for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::int64_t batches() const {
    const std::int64_t n = dataset_->size(), b = options_.batch_size;
    return options_.drop_last ? n / b : (n + b - 1) / b;
  }

  void start_epoch(std::int64_t epoch, std::int64_t first) {
    require<ValueError>(epoch >= 0 && first >= 0 && first <= batches(),
                        "[loader] cannot start epoch {} at batch {} of {}", epoch, first, batches());
    auto order = std::make_shared<std::vector<std::int64_t>>(
        static_cast<std::size_t>(dataset_->size()));
    std::iota(order->begin(), order->end(), std::int64_t{0});
    if (options_.shuffle) {
      Random random(options_.seed, kShuffle + static_cast<std::uint64_t>(epoch));
      shuffle(order->begin(), order->end(), random);
    }
    {
      const std::lock_guard lock(mutex_);
      order_ = std::move(order);
      ++epoch_;
      decoded_.clear();
      taken_ = delivered_ = first;
    }
    changed_.notify_all();
  }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex_);
    require<ValueError>(order_ != nullptr, "[loader] call start_epoch() before next()");
    if (delivered_ == batches()) return std::nullopt;
    Decoded decoded;
    if (threads_.empty()) {
      decoded = decode(*order_, delivered_);
    } else {
      changed_.wait(lock, [this] { return decoded_.count(delivered_) == 1; });
      decoded = std::move(decoded_.extract(delivered_).mapped());
    }
    ++delivered_;
    lock.unlock();
    changed_.notify_all();
    if (decoded.error) std::rethrow_exception(decoded.error);
    return on_backend(std::move(decoded));
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] {
        return stopping_ || (order_ != nullptr && taken_ < batches() &&
                             taken_ < delivered_ + options_.prefetch);
      });
      if (stopping_) return;
      const std::int64_t number = taken_++;
      const std::int64_t epoch = epoch_;
      const auto order = order_;  // start_epoch() may replace it meanwhile
      lock.unlock();
      Decoded decoded = decode(*order, number);
      lock.lock();
      if (epoch == epoch_) decoded_.emplace(number, std::move(decoded));
      changed_.notify_all();
    }
  }

  Decoded decode(const std::vector<std::int64_t>& order, std::int64_t number) const {
    const std::int64_t begin = number * options_.batch_size;
    const std::int64_t end = std::min(begin + options_.batch_size, dataset_->size());
    const auto pixels = static_cast<std::size_t>(dataset_->image_shape().numel());
    Decoded decoded;
    try {
      decoded.images.reserve(static_cast<std::size_t>(end - begin) * pixels);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t index = order[static_cast<std::size_t>(i)];
        const Example example = dataset_->get(index);
        require<ShapeError>(example.pixels.size() == pixels,
                            "[loader] example {} of {} has {} values: expected {} of shape {}",
                            index, dataset_->name(), example.pixels.size(), pixels,
                            dataset_->image_shape().str());
        decoded.images.insert(decoded.images.end(), example.pixels.begin(), example.pixels.end());
        decoded.labels.push_back(example.label);
        decoded.indices.push_back(index);
      }
    } catch (...) {
      decoded.error = std::current_exception();
    }
    return decoded;
  }

  Batch on_backend(Decoded decoded) const {
    const auto rows = static_cast<std::int64_t>(decoded.labels.size());
    return {Tensor::from(decoded.images, dataset_->image_shape().prepended(rows), backend_),
            Tensor::from(decoded.labels, {rows}, backend_), std::move(decoded.indices)};
  }

  const DatasetPtr dataset_;
  const LoaderOptions options_;
  Backend& backend_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::shared_ptr<const std::vector<std::int64_t>> order_;  // of the examples in this epoch
  std::map<std::int64_t, Decoded> decoded_;                 // by number of the batch
  std::int64_t epoch_ = 0;      // counts start_epoch() calls: results of an earlier one are dropped
  std::int64_t taken_ = 0;      // next batch to decode
  std::int64_t delivered_ = 0;  // next batch to hand out
  bool stopping_ = false;
};

Loader::Loader(DatasetPtr dataset, LoaderOptions options, Backend& backend)
    : workers_(std::make_unique<Workers>(std::move(dataset), options, backend)) {}

Loader::~Loader() = default;

void Loader::start_epoch(std::int64_t epoch, std::int64_t first_batch) {
  workers_->start_epoch(epoch, first_batch);
}

std::optional<Batch> Loader::next() { return workers_->next(); }

std::int64_t Loader::batches() const { return workers_->batches(); }

}  // namespace cograd
