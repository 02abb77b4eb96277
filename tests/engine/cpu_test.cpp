// The cpu backend against the reference, on random inputs of odd sizes.
#include "cograd/engine/cpu/activations.h"
#include "tests/support/accumulation_cases.h"
#include "tests/support/cpu_layouts.h"

namespace cograd::testing {

TEST_CASE("layouts convert into each other", "[cpu]") {
  Random random(61);
  for (std::int64_t channels : {1, 3, 8, 16, 17}) {
    const Tensor x = fast(random_f32({3, channels, 5, 4}, random));
    for (Layout a : kLayouts) {
      const Tensor in_a = cpu::reordered(x, a);
      for (Layout b : kLayouts) {
        CAPTURE(channels, static_cast<int>(a), static_cast<int>(b));
        CHECK(cpu::reordered(in_a, b).to_vector<float>() == x.to_vector<float>());
        // A slice of rows is a tensor of its own in any layout.
        CHECK(cpu::reordered(in_a.rows(1, 3), b).to_vector<float>() ==
              x.rows(1, 3).clone().to_vector<float>());
      }
    }
  }
}

TEST_CASE("cpu linear equals the reference", "[cpu]") { check_linear(cpu_backend()); }

TEST_CASE("cpu convolution equals the reference", "[cpu]") { check_convolution(cpu_backend()); }

TEST_CASE("cpu batch norm equals the reference", "[cpu]") { check_batch_norm(cpu_backend()); }

TEST_CASE("cpu keeps running statistics like the reference", "[cpu]") {
  check_running_statistics(cpu_backend());
}

TEST_CASE("cpu pooling equals the reference in every layout", "[cpu]") {
  Arrangements arrangements;
  for (Layout layout : kLayouts) {
    if (!kTravelsInBlocks && layout != Layout::row_major) continue;
    arrangements.push_back([layout](const Tensor& t) { return cpu::reordered(t, layout); });
  }
  check_pooling(cpu_backend(), arrangements);
}

TEST_CASE("cpu element-wise ops and the loss equal the reference", "[cpu]") {
  check_elementwise(cpu_backend());
}

TEST_CASE("a chain of ops, in oneDNN's layouts where there is oneDNN, equals the reference",
          "[cpu]") {
  check_chain(cpu_backend());
}

TEST_CASE("gradients accumulate over micro-batches, also over ones without rows of a group",
          "[cpu]") {
  check_micro_batches(cpu_backend());
}

TEST_CASE("cpu gradients accumulate over micro-batches and shared parameters", "[cpu]") {
  check_accumulation(cpu_backend());
}

TEST_CASE("cpu ops of random shapes equal the reference", "[cpu]") {
  check_random_shapes(cpu_backend());
}

TEST_CASE("cpu updates parameters like the reference", "[cpu]") { check_updates(cpu_backend()); }

}  // namespace cograd::testing
