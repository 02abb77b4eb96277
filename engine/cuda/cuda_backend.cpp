#include "cograd/engine/cuda/cuda_backend.h"

#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/environment.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(cudaStream_t stream) {
    cuda::check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    cuda::check(cudaEventRecord(event, stream), "recording an event");
  }
  ~CudaEvent() override { cudaEventDestroy(event); }
  void wait() override { cuda::check(cudaEventSynchronize(event), "waiting for an event"); }

  cudaEvent_t event = nullptr;
};

cudaStream_t stream_of(cuda::Context& context, Stream stream) {
  return stream == Stream::compute ? context.compute : context.transfer;
}

}  // namespace

Backend& cuda_backend() {
  static auto* backend = new CudaBackend;  // never destroyed: storage points back to it
  cuda::Context::instance();               // makes the device this thread's
  return *backend;
}

bool cuda_available() { return cuda::Context::available(); }

// A graph's memory has to stay where it was: without a cache it would not.
CudaBackend::CudaBackend()
    : context_(cuda::Context::instance()),
      replays_(environment_switch("COGRAD_REPLAY", true) && context_.device_memory.caches()) {}

void CudaBackend::copy_bytes(void* to, const void* from, std::size_t bytes, CopyDirection direction,
                             Stream stream) {
  if (bytes == 0) return;
  const cudaMemcpyKind kind = direction == CopyDirection::from_host ? cudaMemcpyHostToDevice
                              : direction == CopyDirection::to_host ? cudaMemcpyDeviceToHost
                                                                    : cudaMemcpyDeviceToDevice;
  cuda::check(cudaMemcpyAsync(to, from, bytes, kind, stream_of(cuda::Context::instance(), stream)),
              "copying");
}

std::unique_ptr<Event> CudaBackend::record(Stream stream) {
  return std::make_unique<CudaEvent>(stream_of(cuda::Context::instance(), stream));
}

void CudaBackend::wait(Stream stream, Event& event) {
  cuda::check(cudaStreamWaitEvent(stream_of(cuda::Context::instance(), stream),
                                  static_cast<CudaEvent&>(event).event, 0),
              "making a stream wait");
}

void CudaBackend::synchronize() {
  require<DeviceError>(!cuda::recording(), "[cuda] a recorded step must not wait for the device");
  const cuda::Context& context = cuda::Context::instance();
  cuda::check(cudaStreamSynchronize(context.compute), "running kernels");
  cuda::check(cudaStreamSynchronize(context.transfer), "copying");
}

std::unique_ptr<StepRecorder> CudaBackend::step_recorder() {
  return replays_ ? std::make_unique<cuda::StepGraph>() : nullptr;
}

}  // namespace cograd
