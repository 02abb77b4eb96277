#include "cograd/engine/cuda/autotune.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "cograd/engine/cuda/context.h"
#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

namespace fs = std::filesystem;

constexpr float kHopeless = 2.0f;  // times the best: not worth another look
constexpr int kFormat = 2;         // of the keys, and of what the choices count

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

/// Lines "choice key", read once. Later lines win. Malformed lines are skipped; a corrupt cache
/// costs at most a re-measurement.
class Memory {
 public:
  static Memory& instance() {
    static Memory memory;
    return memory;
  }
  int find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = choices_.find(key);
    return it == choices_.end() ? -1 : it->second;
  }
  void put(const std::string& key, int choice) {
    const std::lock_guard lock(mutex_);
    choices_[key] = choice;
    if (file_.empty()) return;
    std::error_code ignored;  // without a cache everything works, only slower
    fs::create_directories(file_.parent_path(), ignored);
    // One short write at the end: processes that share the file do not tear each other's lines.
    std::ofstream(file_, std::ios::app) << fmt::format("{} {}\n", choice, key) << std::flush;
  }

 private:
  Memory() : file_(cache_file()) {
    std::ifstream in(file_);
    int choice = -1;
    for (std::string key; in >> choice && std::getline(in >> std::ws, key);) choices_[key] = choice;
  }

  mutable std::mutex mutex_;
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

}  // namespace

int autotune(const std::string& key, int count, const std::function<void(int)>& run) {
  require<DeviceError>(!recording(),
                       "[cuda] a recorded step must do nothing for the first time: {}", key);
  const bool deterministic = arithmetic().deterministic;
  // The trials take common memory, not that of one recorded step.
  const PoolScope common(nullptr);
  std::string why = "there is no way to";
  const auto works = [&](int i) {
    try {
      run(i);
      return true;
    } catch (const DeviceError& error) {
      why = error.what();
      return false;
    }
  };
  const int known = deterministic ? -1 : Memory::instance().find(key);
  if (known >= 0 && known < count && works(known)) return known;
  Timer timer;
  int best = -1;
  float best_time = 0.0f;
  for (int i = 0; i < count; ++i) {
    if (!works(i)) continue;  // it also loads the code
    if (deterministic) return i;
    constexpr int kRuns = 3;
    float time = timer.milliseconds([&] { run(i); });
    if (best >= 0 && time > kHopeless * best_time) continue;
    time = timer.milliseconds([&] {
      for (int n = 0; n < kRuns; ++n) run(i);
    }) / kRuns;
    if (best < 0 || time < best_time) {
      best = i;
      best_time = time;
    }
  }
  require<DeviceError>(best >= 0, "[cuda] cannot compute {}: {}", key, why);
  Memory::instance().put(key, best);
  return best;
}

}  // namespace cograd::cuda
