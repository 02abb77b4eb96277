// The part of the CUDA runtime that engine/cuda calls, on host memory: one device, every stream
// idle. Time passes only while algorithms of cuDNN and cuBLASLt run.
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/cuda_emulator/emulator.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/cuda_emulator/ledger.h"

/// A graph is the list of its work.
struct CUgraph_st {
  std::vector<std::function<void()>> work;
  bool valid = true;
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> work;
};

namespace cuda_emulator {
namespace {

CUgraph_st* recorded = nullptr;
thread_local bool device_chosen = false;

/// Sizes of what cudaMalloc() has given.
std::mutex mutex;
std::map<void*, std::size_t>& sizes() {
  static auto& all = *new std::map<void*, std::size_t>;
  return all;
}

/// The time at which an event was recorded.
float* time_of(cudaEvent_t event) { return reinterpret_cast<float*>(event); }

}  // namespace

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

using cuda_emulator::device_chosen;
using cuda_emulator::faults;
using cuda_emulator::queue;
using cuda_emulator::recorded;
using cuda_emulator::time_of;

// The runtime's header may give a function a versioned name by macro.
extern "C" {

cudaError_t cudaGetDeviceCount(int* count) { return *count = faults.devices, faults.counting; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return device_chosen = true, cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) {
  thread_local std::string text;
  return (text = "error " + std::to_string(error) + " of the emulator").c_str();
}
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
  const std::lock_guard lock(cuda_emulator::mutex);
  faults.mallocs_anywhere += device_chosen ? 0 : 1;
  if (bytes > faults.memory) return cudaErrorMemoryAllocation;
  *memory = cuda_emulator::allocate(bytes);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  faults.memory -= bytes;
  cuda_emulator::sizes()[*memory] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(cuda_emulator::mutex);
  if (recorded != nullptr) {
    recorded->valid = false;
    ++faults.frees_in_capture;
  }
  const auto size = cuda_emulator::sizes().find(memory);
  if (size != cuda_emulator::sizes().end()) {
    if (faults.memory + size->second > faults.memory) faults.memory += size->second;
    cuda_emulator::sizes().erase(size);
  }
  return cuda_emulator::deallocate(memory), cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  const std::lock_guard lock(cuda_emulator::mutex);
  *memory = cuda_emulator::allocate(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  const std::lock_guard lock(cuda_emulator::mutex);
  return cuda_emulator::deallocate(memory), cudaSuccess;
}

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
  return recorded == nullptr ? faults.lasting : cudaErrorStreamCaptureUnsupported;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  recorded = new CUgraph_st;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = std::exchange(recorded, nullptr);
  if ((*graph)->valid) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return cudaErrorStreamCaptureInvalidated;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (faults.no_room_for_graphs) return cudaErrorMemoryAllocation;
  *exec = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (const auto& work : exec->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return *event = reinterpret_cast<cudaEvent_t>(new float{}), cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return cudaEventCreate(event);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete time_of(event), cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  return *time_of(event) = cuda_emulator::clock, cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return faults.lasting; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return *milliseconds = *time_of(to) - *time_of(from), cudaSuccess;
}
}
