// Steps that a device refuses to record, on the emulated one.
#include "cograd/engine/cuda/cuda_backend.h"
#include "tests/support/cuda_device.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/environment.h"
#include "tests/support/step_fixture.h"

namespace cograd::testing {
namespace {

/// Does the same 40 steps with `run` and by their formula, and compares all that they leave.
void check_steps(StepFixture& run, StepFixture& plain) {
  std::vector<double> expected;
  for (std::int64_t step = 1; step <= 40; ++step) {
    (*run.steps)(run.batch(step), {1, step}, false);
    expected.push_back(plain.plain_step(step));
  }
  CHECK(run.steps->losses() == expected);
  CHECK(run.sgd->steps() == plain.sgd->steps());
  for (std::size_t i = 0; i < run.model->parameters().size(); ++i) {
    CHECK(run.model->parameters()[i]->value.to_vector<float>() ==
          plain.model->parameters()[i]->value.to_vector<float>());
  }
}

}  // namespace

TEST_CASE("a step that cannot be recorded goes on unrecorded", "[cuda]") {
  Backend* cuda = device();
  REQUIRE(cuda != nullptr);
  for (const char* aggregator : {"m3", "rm3"}) {  // rm3 has the host count its slots
    CAPTURE(aggregator);
    StepFixture run("mlp", aggregator, *cuda), plain("mlp", aggregator, *cuda);
    const cuda_emulator::WithFaults with;
    with->no_room_for_graphs = true;
    check_steps(run, plain);
    CHECK_THAT(run.steps->capture_failure(), contains("recording a step"));
    CHECK(run.steps->capture_failure().empty());  // told once
  }
}

TEST_CASE("replaying is switched off by COGRAD_REPLAY", "[cuda]") {
  REQUIRE(device() != nullptr);
  {
    const Environment off(Environment::Variables{{"COGRAD_REPLAY", "OFF"}});
    CudaBackend cuda;
    CHECK(cuda.step_recorder() == nullptr);
    StepFixture run("mlp", "rm3", cuda), plain("mlp", "rm3", cuda);
    check_steps(run, plain);
    CHECK(run.steps->capture_failure().empty());
  }
  const Environment wrong(Environment::Variables{{"COGRAD_REPLAY", "off"}});
  CHECK_THROWS_WITH(CudaBackend(), contains("COGRAD_REPLAY is 'off': expected ON or OFF"));
}

}  // namespace cograd::testing
