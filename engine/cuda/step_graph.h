// A training step as one launch.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/cuda/context.h"

namespace cograd::cuda {

/// Records what a step queues on the compute stream and replays it as one CUDA graph: for models
/// whose kernels take less time than their launches.
///
/// A step is replayed with the addresses and numbers that it was recorded with. So it reads its
/// batch from tensors that stay (write them with Tensor::copy_from before run()), leaves what is
/// wanted of it in others, and whatever changes from step to step other than memory on the device,
/// the learning rate and a window's slot for example, belongs into `variant`, of which there should
/// be few. What outlives the steps, momentum for example, has to be taken by the first of them:
/// memory that a later variant keeps may be memory that a graph writes to. A step that waits for
/// the device (item(), to_vector(), coherence norms) or draws random numbers (dropout) cannot be
/// recorded: DeviceError or ValueError.
class StepGraph {
 public:
  StepGraph();
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Does one step. The first of a variant runs as it is, the second is recorded, all further ones
  /// are replayed. Returns whether it was replayed: what `step` does on the host, such as counting
  /// (Sgd::count_replayed_step()), is then left to the caller.
  bool run(const std::string& variant, const std::function<void()>& step);

 private:
  struct Recorded {
    bool warm = false;
    cudaGraphExec_t graph = nullptr;
  };
  void record(Recorded& to, const std::function<void()>& step);

  /// Of the steps' temporaries: a graph writes there whenever it is replayed.
  std::shared_ptr<CachingAllocator::Pool> pool_;
  std::map<std::string, Recorded> variants_;
};

/// Whether a step is being recorded.
bool recording();

/// The device's memory comes from `pool` (null: the common one) while one lives.
class PoolScope {
 public:
  explicit PoolScope(std::shared_ptr<CachingAllocator::Pool> pool)
      : before_(Context::instance().device_memory.use_pool(std::move(pool))) {}
  ~PoolScope() { Context::instance().device_memory.use_pool(std::move(before_)); }
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  std::shared_ptr<CachingAllocator::Pool> before_;
};

}  // namespace cograd::cuda
