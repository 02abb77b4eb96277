// Launches of all models' steps, within what a device can be asked for.
#include <string>
#include <vector>

#include "cograd/engine/cuda/context.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_emulator/walk.h"

namespace cograd::testing {
namespace {

using cuda_emulator::Entry;
using cuda_emulator::Kind;

// CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability", 8.0 and 9.0
bool can_be_launched(const Entry& e) {
  const auto within = [](unsigned n, unsigned most) { return n >= 1 && n <= most; };
  return within(e.blocks.x, 0x7FFFFFFF) && within(e.blocks.y, 65535) && within(e.blocks.z, 65535) &&
         within(e.threads.x, 1024) && within(e.threads.y, 1024) && within(e.threads.z, 64) &&
         within(e.threads.x * e.threads.y * e.threads.z, 1024);
}

/// The images of a model where they are largest.
Shape usual_image(const std::string& model) {
  if (model.starts_with("mlp")) return {1, 28, 28};
  if (model.ends_with("cifar")) return {3, 32, 32};
  return model == "inception_v3" ? Shape{3, 299, 299} : Shape{3, 224, 224};
}

}  // namespace

TEST_CASE("launches of every model, at any batch, are within a device's limits and in its order",
          "[cuda]") {
  const cudaStream_t compute = cuda::Context::instance().compute;
  REQUIRE(compute != nullptr);
  for (const std::string& model : model_names()) {
    for (const std::int64_t batch : {3, 1024}) {
      const std::string aggregator = batch == 3 ? "huber:3" : "m3";
      CAPTURE(model, batch, aggregator);
      const cuda_emulator::Walked walked =
          cuda_emulator::walk({model, usual_image(model), batch, aggregator, Dtype::bf16},
                              cuda_emulator::Watch::shapes);
      REQUIRE(!walked.entries.empty());
      for (const Entry& e : walked.entries) {
        CAPTURE(e.name, e.blocks.x, e.blocks.y, e.blocks.z, e.threads.x, e.threads.y);
        if (e.stream != compute) FAIL("not on the compute stream");
        if (e.kind == Kind::kernel && !can_be_launched(e)) FAIL("beyond the limits");
      }
    }
  }
}

}  // namespace cograd::testing
