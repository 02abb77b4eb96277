// A training step as one launch.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "cograd/engine/cuda/context.h"
#include "cograd/engine/step_recorder.h"

namespace cograd::cuda {

/// StepRecorder by CUDA graphs, one for each variant.
class StepGraph final : public StepRecorder {
 public:
  StepGraph();
  ~StepGraph() override;
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  bool run(const std::string& variant, const std::function<void()>& step) override;

 private:
  struct Recorded {
    bool warm = false;
    cudaGraphExec_t graph = nullptr;
  };
  void record(Recorded& to, const std::function<void()>& step);

  /// Holds the steps' temporaries: a graph writes there whenever it is replayed.
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
