// What the cuda backend makes of a device's failures, on the emulated one.
#include <thread>

#include "cograd/engine/cuda/step_graph.h"
#include "tests/support/cuda_device.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/environment.h"

namespace cograd::testing {

TEST_CASE("a thread's first memory is that of the process's device", "[cuda]") {
  Backend* cuda = device();
  REQUIRE(cuda != nullptr);
  const cuda_emulator::WithFaults with;
  cuda->allocator().release_cached();
  std::thread([&] { Tensor::empty({1000}, Dtype::f32, *cuda); }).join();
  CHECK(with->mallocs_anywhere == 0);
}

TEST_CASE("a device that has failed is not one that is missing", "[cuda]") {
  const cuda_emulator::WithFaults with;
  with->counting = cudaErrorNoDevice;
  CHECK(cuda::why_unavailable() == "no NVIDIA device was found: use --device cpu");
  CHECK_FALSE(cuda::device_expected());
  with->counting = cudaErrorSystemNotReady;  // no fabric manager, say
  CHECK_THAT(cuda::why_unavailable(), contains("looking for devices: error 802 of the emulator"));
  CHECK(cuda::device_expected());  // "auto" does not go on without a word, on the CPU
  with->counting = cudaSuccess;
  with->devices = 2;
  const Environment third(Environment::Variables{{"LOCAL_RANK", "2"}});
  CHECK_THAT(cuda::why_unavailable(), contains("process 2 of its machine, which has 2 devices"));
  CHECK(cuda::device_expected());
}

TEST_CASE("a recording gives no memory back to the device", "[cuda]") {
  Backend* cuda = device();
  REQUIRE(cuda != nullptr);
  constexpr std::int64_t small = 1000, large = 1'000'000;
  const auto recorder = cuda->step_recorder();
  std::int64_t n = small;
  const auto step = [&] { Tensor::full({n}, 1.0, Dtype::f32, *cuda); };
  recorder->run("a step", step);
  Tensor::empty({small / 2}, Dtype::f32, *cuda);  // cached: it might be given back
  n = large;
  cuda->allocator().release_cached();
  Tensor::empty({small / 2}, Dtype::f32, *cuda);
  {
    const cuda_emulator::WithFaults with;
    with->memory = 0;
    CHECK_THROWS_AS(recorder->run("a step", step), RecordingError);
    CHECK(with->frees_in_capture == 0);
  }
  CHECK_FALSE(recorder->run("a step", step));  // recorded, now that there is memory
  CHECK(recorder->run("a step", step));
}

}  // namespace cograd::testing
