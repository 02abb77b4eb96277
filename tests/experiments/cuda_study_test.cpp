// Runs on the cuda backend: the host looks at few of their steps, and what is computed is the same.
#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/csv.h"
#include "tests/support/cuda_device.h"
#include "tests/support/small_study.h"
#include "tests/support/step_fixture.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

/// Bytes of the device that `work` has taken at a time.
std::size_t memory_of(const std::function<void()>& work) {
  Allocator& allocator = cuda_backend().allocator();
  allocator.reset_peak();
  const std::size_t before = allocator.stats().peak;
  work();
  return allocator.stats().peak - before;
}

}  // namespace

TEST_CASE("steps that nobody watches are the steps themselves", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (const auto& [name, aggregator] : {std::pair{"mlp", "mean"},
                                         {"mlp", "rm3"},
                                         {"mlp", "winsorized:8"},
                                         {"resnet18_cifar", "m3"}}) {
    CAPTURE(name, aggregator);
    StepFixture run(name, aggregator, *cuda), plain(name, aggregator, *cuda);
    std::vector<double> got, expected;
    std::int64_t replayed = 0;
    for (std::int64_t step = 1; step <= 60; ++step) {
      const double rate = step <= 30 ? 0.05 : 0.01;
      const std::int64_t rows = step == 25 ? 6 : StepFixture::kRows;  // images may be left out
      plain.sgd->set_learning_rate(rate);
      expected.push_back(plain.plain_step(step, rows));
      const Batch batch = run.batch(step, rows);
      const Tensor bystander = Tensor::full({1000}, 3.0, Dtype::f32, *cuda);
      run.sgd->set_learning_rate(rate);
      const auto next = [&] { (*run.steps)(batch, {1, step}, step % 23 == 0); };
      replayed += memory_of(next) < 512;  // which it takes for its losses
      CHECK(bystander.to_vector<float>() == std::vector<float>(1000, 3.0f));
      if (step % 20 != 0) continue;
      for (const double loss : run.steps->losses()) got.push_back(loss);
      CHECK(got == expected);
    }
    // All but the first, four that are timed, two of each variant, two reports and a smaller batch.
    CHECK(replayed == 60 - 1 - 4 - 2 * (aggregator == std::string("rm3") ? 6 : 2) - 3);
    for (std::size_t i = 0; i < run.model->state().size(); ++i) {
      const NamedTensor ours = run.model->state()[i], theirs = plain.model->state()[i];
      CAPTURE(ours.name);
      CHECK(ours.tensor->to(Dtype::f32).to_vector<float>() ==
            theirs.tensor->to(Dtype::f32).to_vector<float>());
    }
  }
}

TEST_CASE("memory stays bounded over fifty changes of the learning rate and fifty runs", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const auto reserved = [&] { return cuda->allocator().stats().reserved; };
  {
    StepFixture run("mlp", "m3", *cuda);
    std::size_t soon = 0;
    for (std::int64_t change = 1; change <= 50; ++change) {
      run.sgd->set_learning_rate(0.05 / static_cast<double>(change));
      for (std::int64_t step = 1; step <= 6; ++step) {
        (*run.steps)(run.batch(step), {change, step}, step == 1);
      }
      if (change == 3) soon = reserved();
    }
    CHECK(reserved() == soon);
  }
  std::size_t soon = 0;
  for (int n = 1; n <= 50; ++n) {
    StepFixture run("mlp", "m3", *cuda);
    for (std::int64_t step = 1; step <= 10; ++step) (*run.steps)(run.batch(step), {1, step}, false);
    if (n == 3) soon = reserved();
  }
  CHECK(reserved() == soon);
}

TEST_CASE("steps that are not bound by queueing are not replayed", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  StepFixture run("mlp", "mean", *cuda, 1.1);
  for (std::int64_t step = 1; step <= 20; ++step) {
    CAPTURE(step);
    const Batch batch = run.batch(step);
    CHECK(memory_of([&] { (*run.steps)(batch, {1, step}, false); }) >= 512);
  }
}

TEST_CASE("a loss that is not finite is found later, and its step named", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (const std::int64_t bad : {1, 2, 40}) {
    CAPTURE(bad);
    StepFixture run("mlp", "m3", *cuda);
    std::string message;
    for (std::int64_t step = 1; step < bad + 17 && message.empty(); ++step) {
      Batch batch = run.batch(step);
      if (step == bad) cuda->fill(batch.images, std::numeric_limits<double>::quiet_NaN());
      try {
        (*run.steps)(batch, {3, step}, false);
      } catch (const NonFiniteError& error) {
        message = error.what();
      }
    }
    CHECK_THAT(message, contains(fmt::format("the loss is not finite at epoch 3, step {} ", bad)));
  }
}

TEST_CASE("a study on cuda is that on a CPU", "[cuda][glyphs]") {
  if (device() == nullptr) return;
  const TemporaryFolder folder;
  const auto run = [&](const std::string& name) {
    StudyOptions options = small_study(
        folder.path / name,
        {.train_size = 200, .test_size = 60, .aggregators = "m3@24,rm3@8", .epochs = 3});
    options.run.width = 16;
    options.device = name;
    return run_study(prepare_study(options));
  };
  const std::vector<RunRecord> on_cuda = run("cuda"), on_cpu = run("cpu");
  REQUIRE(on_cuda.size() == on_cpu.size());
  for (std::size_t i = 0; i < on_cpu.size(); ++i) {
    CAPTURE(i);
    REQUIRE(on_cuda[i].epochs.size() == on_cpu[i].epochs.size());
    for (std::size_t epoch = 0; epoch < on_cpu[i].epochs.size(); ++epoch) {
      const EpochRecord &a = on_cuda[i].epochs[epoch], &b = on_cpu[i].epochs[epoch];
      CHECK(a.train_sample.loss == Approx(b.train_sample.loss).epsilon(1e-3));
      CHECK(a.corrupt.loss == Approx(b.corrupt.loss).epsilon(1e-3));
      CHECK(a.test.loss == Approx(b.test.loss).epsilon(1e-3));
    }
    const auto a = cells_of(on_cuda[i].folder / "train.csv"),
               b = cells_of(on_cpu[i].folder / "train.csv");
    REQUIRE(a.size() == b.size());
    CHECK(a[0] == b[0]);
    for (std::size_t row = 1; row < b.size(); ++row) {
      REQUIRE(a[row].size() == b[row].size());
      const auto last = std::ssize(b[row]) - 1;  // the loss; before it epoch, step, examples
      CHECK(std::equal(b[row].begin(), b[row].begin() + last, a[row].begin()));
      CHECK(std::stod(a[row].back()) == Approx(std::stod(b[row].back())).epsilon(1e-3));
    }
    CHECK(b.size() > 10);
  }
}

}  // namespace cograd::testing
