#include "cograd/data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "cograd/engine/error.h"
#include "cograd/engine/random.h"

namespace cograd {
namespace {

/// Streams of the seed: epoch e is shuffled by stream kShuffle + e.
constexpr std::uint64_t kShuffle = std::uint64_t{1} << 32;
constexpr int kMaxWorkers = 256;

/// The order of examples in an epoch.
struct Epoch {
  std::int64_t number = 0;
  std::vector<std::int64_t> order;
};

/// A decoded batch, or an error; neither if no image of the batch could be read.
struct Decoded {
  std::optional<HostBatch> batch;
  std::exception_ptr error;
};

}  // namespace

/// The threads and their shared state. A worker takes the number of the next batch, if that is less
/// than `prefetch` ahead of the consumer, decodes it, and stores the result under its number.
class Loader::Workers {
 public:
  Workers(DatasetPtr dataset, LoaderOptions options, Backend& backend)
      : dataset_(std::move(dataset)),
        options_(std::move(options)),
        backend_(backend),
        byte_scale_(backend.device().type == DeviceType::cpu ? nullptr : dataset_->byte_scale()) {
    const std::int64_t n = dataset_->size();
    require<ValueError>(n >= 1, "[loader] {} is empty", dataset_->name());
    require<ValueError>(options_.batch_size >= 1,
                        "[loader] the batch size must be at least 1, not {}", options_.batch_size);
    require<ValueError>(!options_.drop_last || options_.batch_size <= n,
                        "[loader] a batch of {} is larger than {} with its {} examples",
                        options_.batch_size, dataset_->name(), n);
    require<ValueError>(options_.workers >= 0 && options_.workers <= kMaxWorkers,
                        "[loader] expected 0 to {} workers, not {}", kMaxWorkers, options_.workers);
    require<ValueError>(options_.prefetch >= 1,
                        "[loader] expected to prefetch at least 1 batch, not {}",
                        options_.prefetch);
    require<ValueError>(options_.part >= 0 && options_.part < options_.parts,
                        "[loader] part {} of {}: expected 0 to {}", options_.part, options_.parts,
                        options_.parts - 1);
    require<ValueError>(
        options_.parts == 1 || (options_.drop_last && options_.batch_size % options_.parts == 0),
        "[loader] a batch of {} in {} parts: expected full batches in equal parts",
        options_.batch_size, options_.parts);
    for (int i = 0; i < options_.workers; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  ~Workers() {  // stop all before the first is joined
    for (std::jthread& thread : threads_) thread.request_stop();
  }

  std::int64_t batches() const {
    const std::int64_t n = dataset_->size(), b = options_.batch_size;
    return options_.drop_last ? n / b : n / b + (n % b != 0);
  }

  void start_epoch(std::int64_t number, std::int64_t first) {
    require<ValueError>(number >= 0 && first >= 0 && first <= batches(),
                        "[loader] cannot start epoch {} at batch {} of {}", number, first,
                        batches());
    auto epoch = std::make_shared<Epoch>();
    epoch->number = number;
    epoch->order.resize(static_cast<std::size_t>(dataset_->size()));
    std::iota(epoch->order.begin(), epoch->order.end(), std::int64_t{0});
    if (options_.shuffle) {
      Random random(options_.seed, kShuffle + static_cast<std::uint64_t>(number));
      shuffle(epoch->order.begin(), epoch->order.end(), random);
    }
    {
      const std::lock_guard lock(mutex_);
      epoch_ = std::move(epoch);
      ++starts_;
      decoded_.clear();
      taken_ = delivered_ = first;
    }
    changed_.notify_all();
  }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex_);
    require<ValueError>(epoch_ != nullptr, "[loader] call start_epoch() before next()");
    if (delivered_ == batches()) return std::nullopt;
    const auto asked = std::chrono::steady_clock::now();
    if (!threads_.empty()) {
      changed_.wait(lock, [this] { return decoded_.contains(delivered_); });
    }
    Decoded decoded = threads_.empty() ? decode(*epoch_, delivered_)
                                       : std::move(decoded_.extract(delivered_).mapped());
    stalled_ += std::chrono::steady_clock::now() - asked;
    ++delivered_;
    lock.unlock();
    changed_.notify_all();
    if (decoded.error) std::rethrow_exception(decoded.error);
    if (!decoded.batch) return Batch{};

    Batch batch = decoded.batch->receive();
    last_.emplace(std::move(*decoded.batch));
    lock.lock();
    const auto ahead = decoded_.find(delivered_);
    if (ahead != decoded_.end() && ahead->second.batch) ahead->second.batch->send();
    return batch;
  }

  double stalled() const { return stalled_.count(); }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, stop, [this] {
        return epoch_ != nullptr && taken_ < batches() && taken_ - delivered_ < options_.prefetch;
      });
      if (stop.stop_requested()) return;
      const std::int64_t number = taken_++;
      const std::int64_t start = starts_;
      const auto epoch = epoch_;  // start_epoch() may replace it meanwhile
      lock.unlock();
      Decoded decoded = decode(*epoch, number);
      lock.lock();
      if (start == starts_) decoded_.emplace(number, std::move(decoded));
      changed_.notify_all();
    }
  }

  Decoded decode(const Epoch& epoch, std::int64_t number) const {
    try {
      const std::int64_t part = options_.batch_size / options_.parts;
      const std::int64_t begin = number * options_.batch_size + options_.part * part;
      const std::int64_t rows = std::min(part, dataset_->size() - begin);
      const Shape shape = dataset_->image_shape();
      const auto first = epoch.order.begin() + begin;
      HostBatch batch(shape.prepended(rows), {first, first + rows}, backend_, byte_scale_);
      std::vector<std::int64_t> read;
      for (const std::int64_t index : batch.indices()) {
        const auto row = std::ssize(read);
        try {
          if (byte_scale_ != nullptr) {
            dataset_->read_bytes(index, batch.bytes() + row * shape.numel());
          } else {
            dataset_->read(index, epoch.number, batch.pixels() + row * shape.numel());
          }
        } catch (const ImageError& error) {
          if (!options_.skip_broken) throw;
          options_.skip_broken(error.what());
          continue;
        }
        batch.labels()[row] = checked_label(index);
        read.push_back(index);
      }
      if (read.empty()) return {std::nullopt, nullptr};
      if (std::ssize(read) < rows) batch.keep(std::move(read));
      return {std::move(batch), nullptr};
    } catch (...) {
      return {std::nullopt, std::current_exception()};
    }
  }

  /// No backend looks at labels that are on a device.
  std::int64_t checked_label(std::int64_t index) const {
    const std::int64_t label = dataset_->label(index), classes = dataset_->classes();
    require<ValueError>(label >= 0 && label < classes,
                        "[loader] label {} of example {} of {}: expected 0 to {}", label, index,
                        dataset_->name(), classes - 1);
    return label;
  }

  const DatasetPtr dataset_;
  const LoaderOptions options_;
  Backend& backend_;
  const ChannelStatistics* const byte_scale_;  // null on a CPU, which reads pixels at once
  std::optional<HostBatch> last_;  // kept after next(), which need not wait for its copy
  std::chrono::duration<double> stalled_{0};

  std::mutex mutex_;  // guards the members below
  std::condition_variable_any changed_;
  std::shared_ptr<const Epoch> epoch_;
  std::map<std::int64_t, Decoded> decoded_;  // by number of the batch
  std::int64_t starts_ = 0;     // start_epoch() calls: batches of earlier ones are dropped
  std::int64_t taken_ = 0;      // next batch to decode
  std::int64_t delivered_ = 0;  // next batch to hand out

  std::vector<std::jthread> threads_;  // last: joined before the other members are destroyed
};

Loader::Loader(DatasetPtr dataset, LoaderOptions options, Backend& backend)
    : workers_(std::make_unique<Workers>(std::move(dataset), std::move(options), backend)) {}

Loader::~Loader() = default;

void Loader::start_epoch(std::int64_t epoch, std::int64_t first_batch) {
  workers_->start_epoch(epoch, first_batch);
}

std::optional<Batch> Loader::next() { return workers_->next(); }

std::int64_t Loader::batches() const { return workers_->batches(); }

double Loader::stalled() const { return workers_->stalled(); }

}  // namespace cograd
