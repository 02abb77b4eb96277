#include "cograd/engine/cuda/autotune.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <sstream>
#include <utility>

#include "cograd/engine/cuda/context.h"
#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/cuda/trial_data.h"
#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

namespace fs = std::filesystem;

constexpr float kHopeless = 2.0f;  // times the best: not worth another look
constexpr int kFormat = 3;         // of the keys, and of what the choices count
constexpr int kRuns = 3;           // that are timed together

/// The file of choices for this device and these libraries; empty when there is no place for it.
fs::path cache_file() {
  const char* own = std::getenv("COGRAD_CACHE");
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (own != nullptr) {
    folder = own;
  } else if (xdg != nullptr) {
    folder = fs::path(xdg) / "cograd";
  } else if (home != nullptr) {
    folder = fs::path(home) / ".cache/cograd";
  } else {
    return {};
  }
  std::string device = Context::instance().properties.name;
  std::replace_if(
      device.begin(), device.end(), [](char c) { return c == ' ' || c == '/'; }, '-');
  return folder / fmt::format("kernels{}-{}-cudnn{}-cublas{}.txt", kFormat, device,
                              cudnnGetVersion(), cublasLtGetVersion());
}

/// Lines "choice key". Later lines win. Malformed lines are skipped; a corrupt cache costs at most a
/// re-measurement.
class Memory {
 public:
  static Memory& instance() {
    static Memory memory;
    return memory;
  }
  int find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    read();
    const auto it = choices_.find(key);
    return it == choices_.end() ? -1 : it->second;
  }
  void put(const std::string& key, int choice) {
    const std::lock_guard lock(mutex_);
    read();
    choices_[key] = choice;
    append(fmt::format("{} {}\n", choice, key));
  }
  /// For the reader of the file alone.
  void remark(const std::string& text) {
    const std::lock_guard lock(mutex_);
    read();
    append(fmt::format("# {}\n", text));
  }

 private:
  /// Again only when the environment names another file.
  void read() {
    fs::path file = cache_file();
    if (read_ && file == file_) return;
    file_ = std::move(file);
    read_ = true;
    choices_.clear();
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      int choice = -1;
      std::string key;
      if (words >> choice && std::getline(words >> std::ws, key)) choices_[key] = choice;
    }
  }
  void append(const std::string& line) {
    if (file_.empty()) return;
    std::error_code ignored;  // without a cache everything works, only slower
    fs::create_directories(file_.parent_path(), ignored);
    // One short write at the end: processes that share the file do not tear each other's lines.
    std::ofstream(file_, std::ios::app) << line << std::flush;
  }

  std::mutex mutex_;
  bool read_ = false;
  fs::path file_;
  std::map<std::string, int> choices_;
};

class Timer {
 public:
  Timer() {
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event), "making an event");
  }
  ~Timer() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
  }
  template <class F>
  float milliseconds(F&& f) {
    cudaStream_t stream = Context::instance().compute;
    check(cudaEventRecord(events_[0], stream), "timing");
    f();
    check(cudaEventRecord(events_[1], stream), "timing");
    check(cudaEventSynchronize(events_[1]), "timing");
    float time = 0.0f;
    check(cudaEventElapsedTime(&time, events_[0], events_[1]), "timing");
    return time;
  }

 private:
  std::array<cudaEvent_t, 2> events_{};
};

/// The search for one computation's algorithm.
class Search {
 public:
  explicit Search(const Algorithms& algorithms) : all_(algorithms) {}

  /// The first algorithm from `begin` on that works on the operands `at`, or -1.
  int first_that_works(int begin, const std::vector<void*>& at) {
    for (int i = begin; i < all_.count; ++i) {
      if (works(i, at)) return i;
    }
    return -1;
  }

  bool works(int i, const std::vector<void*>& at) {
    try {
      all_.run(i, at);
    } catch (const DeviceError& error) {
      why_ = error.what();
      short_of_memory_ |= dynamic_cast<const MemoryError*>(&error) != nullptr;
      require_device(i);
      return false;
    }
    require_device(i);
    return true;
  }

  /// The fastest right algorithm, or -1.
  int fastest(Backend& backend) {
    std::vector<Tensor> operands;
    std::vector<void*> at;
    for (const Algorithms::Operand& operand : all_.operands) {
      operands.push_back(Tensor::empty({operand.elements}, operand.dtype, backend));
      at.push_back(operands.back().raw());
      fill_with_trial_data(operands.back(), static_cast<std::uint32_t>(operands.size()));
    }
    Tensor& output = operands[all_.output];
    const std::vector<int> candidates = by_time(at);
    const int reference = first_that_works(all_.reference, at);
    const Tensor expected = reference < 0 ? Tensor() : output.clone();
    for (const int i : candidates) {
      if (i != reference) {
        fill_with_trial_data(output, 0);
        if (!works(i, at)) continue;
        if (reference >= 0 && !agrees(i, output, reference, expected)) continue;
      }
      if (reference >= 0 && !short_of_memory_) Memory::instance().put(all_.key, i);
      return i;
    }
    return -1;
  }

  [[noreturn]] void fail() const {
    const std::string message = fmt::format("[cuda] cannot compute {}: {}", all_.key, why_);
    if (short_of_memory_) throw MemoryError(message);
    throw DeviceError(message);
  }

 private:
  /// After an error that lasts, every algorithm fails, and none of them is to blame.
  void require_device(int i) const {
    check(cudaStreamSynchronize(Context::instance().compute),
          fmt::format("trying algorithm {} of {}", i, all_.key).c_str());
  }

  /// Those that are timed and work, the fastest first, then those that are not timed.
  std::vector<int> by_time(const std::vector<void*>& at) {
    std::vector<std::pair<float, int>> times;
    Timer timer;
    float best = std::numeric_limits<float>::infinity();
    for (int i = 0; i < all_.timed; ++i) {
      if (!works(i, at)) continue;  // it also loads the code
      float time = timer.milliseconds([&] { all_.run(i, at); });
      if (time <= kHopeless * best) {
        time = timer.milliseconds([&] {
          for (int n = 0; n < kRuns; ++n) all_.run(i, at);
        }) / kRuns;
      }
      best = std::min(best, time);
      times.emplace_back(time, i);
    }
    std::sort(times.begin(), times.end());
    std::vector<int> order;
    for (const auto& [time, i] : times) order.push_back(i);
    for (int i = all_.timed; i < all_.count; ++i) order.push_back(i);
    return order;
  }

  bool agrees(int i, const Tensor& output, int reference, const Tensor& expected) {
    const double difference = largest_difference(output, expected);
    if (difference <= all_.tolerance) return true;
    why_ = fmt::format("algorithm {} differs from {} by {:.2g}: expected up to {}", i, reference,
                       difference, all_.tolerance);
    Memory::instance().remark(fmt::format("{}: {}", all_.key, why_));
    return false;
  }

  const Algorithms& all_;
  std::string why_ = "there is no algorithm for it";
  bool short_of_memory_ = false;
};

}  // namespace

double tolerance_of(Dtype dtype) { return dtype == Dtype::f32 && !arithmetic().tf32 ? 1e-3 : 0.1; }

int autotune(const Algorithms& algorithms, const std::vector<void*>& here, Backend& backend) {
  require<DeviceError>(!recording(),
                       "[cuda] a recorded step must do nothing for the first time: {}",
                       algorithms.key);
  // The trials take common memory, not that of one recorded step.
  const PoolScope common(nullptr);
  Search search(algorithms);
  int choice = -1;
  if (arithmetic().deterministic) {
    choice = search.first_that_works(0, here);
  } else {
    const int known = Memory::instance().find(algorithms.key);
    if (known >= 0 && known < algorithms.count && search.works(known, here)) return known;
    try {
      choice = search.fastest(backend);
    } catch (const MemoryError&) {  // there is none to compare algorithms, but the step may go on
      choice = search.first_that_works(algorithms.reference, here);
      if (choice < 0) choice = search.first_that_works(0, here);
    }
  }
  if (choice < 0) search.fail();
  return choice;
}

}  // namespace cograd::cuda
