#include "cograd/engine/cuda/step_graph.h"

namespace cograd::cuda {
namespace {

bool recording_now = false;

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

bool StepGraph::run(const std::string& variant, const std::function<void()>& step) {
  Recorded& recorded = variants_[variant];
  if (!recorded.warm) {  // measures plans, fills caches, takes the memory
    const PoolScope scope(pool_);
    step();
    recorded.warm = true;
    return false;
  }
  const bool replayed = recorded.graph != nullptr;
  try {
    if (!replayed) record(recorded, step);
    check(cudaGraphLaunch(recorded.graph, Context::instance().compute), "replaying a step");
  } catch (const Error& error) {
    throw RecordingError(error.what());
  }
  return replayed;
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
    cudaGetLastError();
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  recording_now = false;
  const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
  const cudaError_t made = ended == cudaSuccess ? cudaGraphInstantiate(&to.graph, graph, 0) : ended;
  cudaGetLastError();  // what the capture does not allow is no lasting error
  if (graph != nullptr) cudaGraphDestroy(graph);
  check(made, "recording a step");
}

}  // namespace cograd::cuda
