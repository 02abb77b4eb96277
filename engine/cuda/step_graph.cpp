#include "engine/cuda/step_graph.h"

#include <utility>

namespace cograd::cuda {
namespace {

bool recording_now = false;

/// The device's memory comes from the pool while one lives.
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

}  // namespace

bool recording() { return recording_now; }

StepGraph::StepGraph() : pool_(std::make_shared<CachingAllocator::Pool>()) {}

StepGraph::~StepGraph() {
  cudaStreamSynchronize(Context::instance().compute);
  for (auto& [name, variant] : variants_) {
    if (variant.graph != nullptr) cudaGraphExecDestroy(variant.graph);
  }
  Context::instance().device_memory.give_up(pool_);
}

void StepGraph::run(const std::string& variant, const std::function<void()>& step) {
  Recorded& recorded = variants_[variant];
  if (!recorded.warm) {  // measures plans, fills caches, takes the memory
    const PoolScope scope(pool_);
    step();
    recorded.warm = true;
    return;
  }
  if (recorded.graph == nullptr) record(recorded, step);
  check(cudaGraphLaunch(recorded.graph, Context::instance().compute), "replaying a step");
}

void StepGraph::record(Recorded& to, const std::function<void()>& step) {
  const PoolScope scope(pool_);
  cudaStream_t stream = Context::instance().compute;
  // Relaxed: memory may be taken, and other threads go on calling the runtime (the loader's, say).
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording a step");
  recording_now = true;
  cudaGraph_t graph = nullptr;
  try {
    step();
  } catch (...) {
    recording_now = false;
    cudaStreamEndCapture(stream, &graph);  // leaves the stream usable
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  recording_now = false;
  check(cudaStreamEndCapture(stream, &graph), "recording a step");
  const cudaError_t made = cudaGraphInstantiate(&to.graph, graph, 0);
  cudaGraphDestroy(graph);
  check(made, "recording a step");
}

}  // namespace cograd::cuda
