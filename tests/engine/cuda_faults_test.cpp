// What the cuda backend makes of a device's failures, on the emulated one.
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "cograd/engine/cuda/step_graph.h"
#include "cograd/engine/file.h"
#include "tests/support/cuda_device.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/environment.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// The cuda backend that measures, with an empty cache of choices.
class Measuring {
 public:
  explicit Measuring(bool tf32) : cuda_(*device()) {
    cuda::set_arithmetic({.tf32 = tf32, .deterministic = false});
  }
  ~Measuring() { cuda::set_arithmetic({.tf32 = false, .deterministic = true}); }

  Backend& backend() { return cuda_; }
  /// All lines of the cache, without the number that each begins with.
  std::string remembered() const {
    std::string all;
    for (const auto& file : fs::directory_iterator(folder_.path)) all += read_file(file.path());
    return all;
  }

 private:
  Backend& cuda_;
  TemporaryFolder folder_;
  Environment cache_{Environment::Variables{{"COGRAD_CACHE", folder_.path.string()}}};
};

/// A computation that nothing else asks for, so that its algorithm is looked for: on the reference
/// backend as on cuda.
using Computation = std::function<Tensor(Backend&, Dtype)>;

/// All passes of a convolution and of a linear layer, of `channels` channels.
std::vector<Computation> computations(std::int64_t channels) {
  static Random random(90);
  const auto rounded = [](const Shape& shape) {
    return random_f32(shape, random).to(Dtype::bf16).to(Dtype::f32);
  };
  const Tensor x = rounded({2, 3, 5, 5}), w = rounded({channels, 3, 3, 3}),
               y = rounded({2, channels, 5, 5});
  const Tensor in = rounded({6, 7}), weight = rounded({channels, 7}), out = rounded({6, channels});
  const ConvGeometry geometry{.padding = {1, 1}};
  return {
      [=](Backend& on, Dtype d) {
        return on.conv2d(x.to(on).to(d), w.to(on), {}, geometry).to(Dtype::f32);
      },
      [=](Backend& on, Dtype d) {
        return on.conv2d_input_gradient(y.to(on).to(d), w.to(on), x.shape(), geometry)
            .to(Dtype::f32);
      },
      [=](Backend& on, Dtype d) {
        Tensor dw = Tensor::zeros(w.shape().prepended(1), Dtype::f32, on);
        on.conv2d_weight_gradient(x.to(on).to(d), y.to(on).to(d), geometry, Groups(2, 1), {dw});
        return dw;
      },
      [=](Backend& on, Dtype d) {
        return on.linear(in.to(on).to(d), weight.to(on), {}, Epilogue::none).to(Dtype::f32);
      },
      [=](Backend& on, Dtype d) {
        return on.linear_input_gradient(out.to(on).to(d), weight.to(on)).to(Dtype::f32);
      },
      [=](Backend& on, Dtype d) {
        Tensor dw = Tensor::zeros({1, channels, 7}, Dtype::f32, on);
        on.linear_weight_gradient(in.to(on).to(d), out.to(on).to(d), Groups(6, 1), {dw});
        return dw;
      },
  };
}

/// Channels that no other test has.
std::int64_t new_channels() {
  static std::int64_t last = 40;
  return ++last;
}

}  // namespace

TEST_CASE("a fast algorithm that computes something else is neither taken nor remembered",
          "[cuda]") {
  struct Arithmetic {
    bool tf32;
    Dtype dtype;
  };
  for (const auto& [tf32, dtype] : {Arithmetic{false, Dtype::f32}, Arithmetic{true, Dtype::f32},
                                    Arithmetic{true, Dtype::bf16}}) {
    for (const std::set<int>& wrong : {std::set<int>{}, {1}, {2}, {1, 2}}) {
      CAPTURE(tf32, name_of(dtype), wrong.size());
      Measuring measuring(tf32);
      const cuda_emulator::WithFaults with;
      with->wrong = wrong;
      const std::int64_t channels = new_channels();
      for (const Computation& compute : computations(channels)) {
        CHECK(relative_error(compute(measuring.backend(), dtype),
                             compute(reference_backend(), Dtype::f32)) <= 4e-3);
      }
      const std::string lines = measuring.remembered();
      // Of cuDNN's engines, 1 is not repeatable and 2 uses tensor cores; of cuBLASLt's algorithms,
      // 2 is there for TF32 alone. The fastest is the last one that is left.
      const int fastest_engine = tf32 || dtype == Dtype::bf16 ? 2 : 1;
      const int fastest_algorithm = tf32 && dtype == Dtype::f32 ? 2 : 1;
      const auto right = [&](int i) {
        while (wrong.contains(i)) --i;
        return i;
      };
      for (const int pass : {0, 1, 2}) {
        CHECK_THAT(lines, contains(fmt::format("{} convolution {} ", right(fastest_engine), pass)));
      }
      for (const char* product : {"nt", "nn", "tn"}) {
        CHECK_THAT(lines,
                   contains(fmt::format("{} matmul {} ", right(fastest_algorithm), product)));
      }
      CHECK((lines.find("differs from") != std::string::npos) ==
            (wrong.contains(fastest_engine) || wrong.contains(fastest_algorithm)));
    }
  }
}

TEST_CASE("what is chosen for lack of memory is not remembered", "[cuda]") {
  Measuring measuring(true);
  Backend& cuda = measuring.backend();
  const auto check_right = [&](const Computation& compute) {
    CHECK(relative_error(compute(cuda, Dtype::f32), compute(reference_backend(), Dtype::f32)) <=
          1e-6);
  };
  SECTION("for the fastest engine's workspace") {
    cuda.allocator().release_cached();
    const auto all = computations(new_channels());
    const cuda_emulator::WithFaults with;
    with->memory = 500'000;
    for (std::size_t i = 0; i < 3; ++i) check_right(all[i]);
  }
  SECTION("for anything to compare") {
    for (const Computation& compute : computations(new_channels())) {
      cuda.allocator().release_cached();
      cuda::set_arithmetic({.tf32 = true, .deterministic = true});
      check_right(compute);  // takes what it needs
      cuda::set_arithmetic({.tf32 = true, .deterministic = false});
      const cuda_emulator::WithFaults with;
      with->memory = 0;
      check_right(compute);
    }
  }
  CHECK(measuring.remembered().empty());
}

TEST_CASE("an error that lasts is told as what it is", "[cuda]") {
  Measuring measuring(true);
  for (const Computation& compute : computations(new_channels())) {
    const cuda_emulator::WithFaults with;
    with->illegal = {1};
    CHECK_THROWS_WITH(compute(measuring.backend(), Dtype::f32),
                      contains("trying algorithm") &&
                          contains(fmt::format("error {} of", int{cudaErrorIllegalAddress})));
  }
  CHECK(measuring.remembered().empty());
}

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
