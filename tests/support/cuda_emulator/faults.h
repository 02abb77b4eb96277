// What a real device may do, told to the emulated one by a test.
#pragma once

#include <cuda_runtime_api.h>

#include <limits>
#include <set>

namespace cuda_emulator {

struct Faults {
  int devices = 1;
  cudaError_t counting = cudaSuccess;  ///< what cudaGetDeviceCount() says
  /// What is left of the device's memory, in bytes of cudaMalloc().
  std::size_t memory = std::numeric_limits<std::size_t>::max();
  bool no_room_for_graphs = false;    ///< cudaGraphInstantiate() lacks memory
  std::set<int> wrong;                ///< engines and algorithms that spoil their first result
  std::set<int> illegal;              ///< those that read an illegal address
  cudaError_t lasting = cudaSuccess;  ///< what every call says after that
  int frees_in_capture = 0;           ///< calls of cudaFree() that a capture forbids
  int mallocs_anywhere = 0;           ///< calls of cudaMalloc() by threads without a device
};

inline Faults faults;

/// Ends a test's faults with it.
struct WithFaults {
  WithFaults() { faults = {}; }
  ~WithFaults() { faults = {}; }
  Faults* operator->() const { return &faults; }
};

/// Milliseconds of work so far, as events see them: algorithm `i` takes kSlowest - i.
inline float clock = 0.0f;
inline constexpr int kSlowest = 4;

/// Whether algorithm `i` runs; it takes its time.
inline bool run_algorithm(int i) {
  clock += static_cast<float>(kSlowest - i);
  if (faults.illegal.contains(i)) faults.lasting = cudaErrorIllegalAddress;
  return faults.lasting == cudaSuccess;
}

}  // namespace cuda_emulator
