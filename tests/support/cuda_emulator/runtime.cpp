// The part of the CUDA runtime that engine/cuda calls, on host memory: one device, every stream
// idle.
#include <cstdlib>
#include <vector>

#include "tests/support/cuda_emulator/emulator.h"
#include "tests/support/cuda_emulator/ledger.h"

/// A graph is the list of its work.
struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> work;
};

namespace cuda_emulator {
namespace {
CUgraph_st* recorded = nullptr;
}

void do_or_record(std::function<void()> work) {
  if (recorded != nullptr) {
    recorded->work.push_back(std::move(work));
  } else {
    work();
  }
}

void queue(const cudaLaunchConfig_t& config, std::function<void()> thread) {
  Entry entry;
  entry.stream = config.stream;
  entry.blocks = config.gridDim;
  entry.threads = config.blockDim;
  queue(entry, [blocks = config.gridDim, threads = config.blockDim, thread = std::move(thread)] {
    run(blocks, threads, thread);
  });
}

}  // namespace cuda_emulator

using cuda_emulator::queue;
using cuda_emulator::recorded;

// The runtime's header may give a function a versioned name by macro.
extern "C" {

cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulator"; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "emulator");
  properties->multiProcessorCount = 2;
  return cudaSuccess;
}

/// As many as have room for their threads on an H100.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads,
                                                          std::size_t) {
  return *blocks = 2048 / threads, cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = cuda_emulator::allocate(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFree(void* memory) { return cuda_emulator::deallocate(memory), cudaSuccess; }
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  cuda_emulator::Entry entry;
  entry.kind = cuda_emulator::Kind::copy;
  entry.name = "copy";
  entry.stream = stream;
  entry.read = kind == cudaMemcpyHostToDevice ? 0 : static_cast<std::int64_t>(bytes);
  entry.written = kind == cudaMemcpyDeviceToHost ? 0 : static_cast<std::int64_t>(bytes);
  queue(entry, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  static int streams[2];  // what a handle points to is nobody's business
  static int made = 0;
  return *stream = reinterpret_cast<cudaStream_t>(&streams[made++ % 2]), cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return recorded == nullptr ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  recorded = new CUgraph_st;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = std::exchange(recorded, nullptr);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (const auto& work : exec->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) { return *event = nullptr, cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return cudaEventCreate(event);
}
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  return *milliseconds = 1.0f, cudaSuccess;
}
}
