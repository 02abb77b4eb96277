#include "cograd/engine/cuda/context.h"

#include <array>
#include <cstdlib>
#include <string_view>

#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/environment.h"
#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

/// A process's number among those of its machine: as torchrun, Open MPI, MPICH and Slurm tell it.
constexpr const char* kLocalRanks[] = {"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
                                       "MPI_LOCALRANKID", "SLURM_LOCALID"};
constexpr int kOldestMajor = 8;  // compute capability 8.0, of which bf16 arithmetic is a part

Arithmetic& chosen() {
  static Arithmetic in_force{.tf32 = environment_switch("COGRAD_TF32", true),
                             .deterministic = environment_switch("COGRAD_DETERMINISTIC", false)};
  return in_force;
}

/// The number of one of `devices`; a launcher may show each process just its own.
int wanted_device(int devices) {
  if (devices == 1) return 0;
  for (const char* variable : kLocalRanks) {
    if (const char* rank = std::getenv(variable)) return std::atoi(rank);
  }
  return 0;
}

[[noreturn]] void fail(bool for_memory, const std::string& message) {
  if (for_memory) throw MemoryError(message);
  throw DeviceError(message);
}

/// The memory that a call of the runtime has given, or null if there is no more. Throws DeviceError
/// when something else is wrong: after a kernel that failed, every call says so.
void* given(cudaError_t status, void* memory) {
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // no memory is no lasting error
    return nullptr;
  }
  check(status, "taking memory");
  return memory;
}

/// Whether cudaGetDeviceCount() says that this machine has no device, or none for this build. All
/// else is a device that has failed.
bool no_device(cudaError_t status, int devices) {
  return status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver ||
         (status == cudaSuccess && devices == 0);
}

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fail(status == cudaErrorMemoryAllocation,
       fmt::format("[cuda] {}: {}", what, cudaGetErrorString(status)));
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(status == CUBLAS_STATUS_ALLOC_FAILED,
       fmt::format("[cublas] {}: {}", what, cublasLtGetStatusString(status)));
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> reason{};
  cudnnGetLastErrorString(reason.data(), reason.size());
  const std::string_view line(reason.data());
  fail(status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED,
       fmt::format("[cudnn] {}: {} ({})", what, cudnnGetErrorString(status),
                   line.substr(0, line.find('\n'))));
}

Arithmetic arithmetic() { return chosen(); }
void set_arithmetic(Arithmetic how) { chosen() = how; }

void* DeviceAllocator::system_allocate(std::size_t bytes) {
  Context::instance();  // a thread's first memory may be its first use of the device
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  return given(status, memory);
}

void DeviceAllocator::system_free(void* memory) noexcept { cudaFree(memory); }

// cudaFree() waits for the device, which a capture forbids.
bool DeviceAllocator::may_release() const noexcept { return !recording(); }

void* PinnedAllocator::system_allocate(std::size_t bytes) {
  Context::instance();  // a thread that only stages batches has chosen no device yet
  void* memory = nullptr;
  const cudaError_t status = cudaMallocHost(&memory, bytes);
  return given(status, memory);
}

void PinnedAllocator::system_free(void* memory) noexcept { cudaFreeHost(memory); }

std::string why_unavailable() {
  int devices = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  // An older driver has its own error, and so has a device without any driver.
  if (status == cudaErrorInsufficientDriver && driver > 0) {
    return fmt::format(
        "the driver is for CUDA {}, this build for CUDA {}: update the driver, or use --device cpu",
        version(driver), version(runtime));
  }
  if (no_device(status, devices)) return "no NVIDIA device was found: use --device cpu";
  if (status != cudaSuccess) {
    return fmt::format("looking for devices: {} ({}): repair that, or use --device cpu",
                       cudaGetErrorString(status), static_cast<int>(status));
  }
  const int device = wanted_device(devices);
  if (device < 0 || device >= devices) {
    return fmt::format("this is process {} of its machine, which has {} devices: expected one each",
                       device, devices);
  }
  int major = 0, minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  if (major < kOldestMajor) {
    return fmt::format(
        "device {} has compute capability {}.{}: expected {}.0 or later; use --device cpu", device,
        major, minor, kOldestMajor);
  }
  return {};
}

Context::Context() {
  const std::string why = why_unavailable();
  require<DeviceError>(why.empty(), "[cuda] {}", why);
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "counting devices");
  device = wanted_device(devices);
  check(cudaSetDevice(device), "choosing the device");
  check(cudaGetDeviceProperties(&properties, device), "asking for the device's properties");
  check(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking), "making a stream");
  check(cudaStreamCreateWithFlags(&transfer, cudaStreamNonBlocking), "making a stream");
  check(cublasLtCreate(&blas), "starting cuBLASLt");
  check(cudnnCreate(&dnn), "starting cuDNN");
  check(cudnnSetStream(dnn, compute), "giving cuDNN its stream");
}

Context& Context::instance() {
  static auto* context = new Context;
  // CUDA's current device is each thread's own: a worker of the loader may come here first.
  thread_local const bool chosen_here = [] {
    check(cudaSetDevice(context->device), "choosing the device");
    return true;
  }();
  (void)chosen_here;
  return *context;
}

bool Context::available() noexcept {
  static const bool expected = device_expected();
  return expected;
}

bool device_expected() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  if (no_device(status, devices)) return false;
  const bool failed = status != cudaSuccess || wanted_device(devices) >= devices;
  return failed || why_unavailable().empty();  // not one that is too old for the kernels
}

}  // namespace cograd::cuda
