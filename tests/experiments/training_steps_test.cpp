// The steps of a run on a CPU: what they leave, and what they refuse to go on with.
#include "cograd/experiments/train/training_steps.h"

#include <limits>

#include "tests/support/step_fixture.h"

namespace cograd::testing {
namespace {

void fill(Parameter& parameter, double value) {
  parameter.value.backend().fill(parameter.value, value);
}

}  // namespace

TEST_CASE("the losses of steps are the means over their groups, in order", "[experiments]") {
  StepFixture run("mlp", "m3", reference_backend()), plain("mlp", "m3", reference_backend());
  std::vector<double> expected;
  for (std::int64_t step = 1; step <= 5; ++step) {
    (*run.steps)(run.batch(step), {1, step}, step == 3);
    expected.push_back(plain.plain_step(step));
    for (const Parameter* p : run.model->parameters()) {
      CHECK((p->norms.mean_squared > 0.0) == (step == 3));  // measured for reports
    }
  }
  CHECK(run.steps->losses() == expected);
  CHECK(run.steps->losses().empty());
}

TEST_CASE("a run that diverges says where", "[experiments]") {
  Backend* backend = GENERATE(&reference_backend(), &cpu_backend());
  CAPTURE(backend->name());
  StepFixture run("mlp", "mean", *backend);
  const auto step = [&](std::int64_t number) {
    (*run.steps)(run.batch(number), {2, number}, false);
  };
  for (std::int64_t number = 1; number <= 4; ++number) step(number);

  SECTION("in the loss, by an example") {
    Batch bad = run.batch(5);
    backend->fill(bad.images, std::numeric_limits<double>::quiet_NaN());
    CHECK_THROWS_WITH((*run.steps)(bad, {2, 5}, false),
                      contains("the loss is not finite at epoch 2, step 5 (a run; all parameters "
                               "are finite)"));
  }
  SECTION("in the loss, by a parameter") {
    Parameter& bad = *run.model->parameters()[2];
    fill(bad, std::numeric_limits<double>::infinity());
    CHECK_THROWS_WITH(step(5), contains("step 5") && contains("that is not is " + bad.name));
  }
  SECTION("in a gradient") {  // of a first layer that passes on nothing of its huge images
    const std::vector<Parameter*> parameters = run.model->parameters();
    fill(*parameters[0], 0.0);
    fill(*parameters[1], 1e-6);
    fill(*parameters[2], 1e6);
    Batch huge = run.batch(16);
    backend->fill(huge.images, 3e38);
    const auto message =
        contains("the gradient of " + parameters[0]->name + " is not finite at epoch 2, step 16");
    for (const bool report : {false, true}) {  // every sixteenth is looked at
      CHECK_THROWS_WITH((*run.steps)(huge, {2, 16}, report), message);
    }
  }
}

}  // namespace cograd::testing
