// Studies end to end, on a few drawn glyphs: evaluation, training, what a run leaves behind.
#include "cograd/experiments/study/study.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "cograd/data/corrupted_labels.h"
#include "cograd/data/subset.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/console/version.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/train/evaluator.h"
#include "cograd/experiments/train/noise.h"
#include "cograd/models/registry.h"
#include "cograd/models/state_dict.h"
#include "tests/support/catch.h"
#include "tests/support/csv.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::rows_of;
using cograd::testing::small_study;
using cograd::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

/// A model whose logits do not depend on the image.
class Constant final : public Module {
 public:
  explicit Constant(std::vector<float> logits) : logits_(std::move(logits)) {}
  Variable forward(Variable x) override {
    std::vector<float> rows;
    for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
      rows.insert(rows.end(), logits_.begin(), logits_.end());
    }
    return Variable(
        Tensor::from(rows, {x.shape()[0], static_cast<std::int64_t>(logits_.size())}, x.backend()));
  }

 private:
  std::vector<float> logits_;
};

StudyOptions tiny_study(const fs::path& folder) {
  return small_study(folder / "runs", {.train_size = 200, .test_size = 60, .aggregators = "m3@24"});
}

}  // namespace

TEST_CASE("evaluation ranks the label and averages the loss", "[experiments][glyphs]") {
  StudyOptions options;
  options.train_size = 20;
  options.test_size = 10;
  const DatasetPtr data = open_study_data(options).train;  // classes 0, 1, ..., 9, 0, 1, ...
  Constant model({3, 2, 2, 1, 0, -1, -2, -3, -4, -5});
  model.train();
  Evaluator evaluate(data, cpu_backend(), 1);
  for (int round = 0; round < 2; ++round) {  // the second one uses what the first has kept
    CAPTURE(round);
    const std::vector<ExampleResult> results = evaluate(model);
    REQUIRE(results.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) CHECK(results[i].rank == static_cast<int>(i % 10));
    double sum = 0.0;
    for (const double z : {3, 2, 2, 1, 0, -1, -2, -3, -4, -5}) sum += std::exp(z);
    CHECK(results[3].loss == Approx(std::log(sum) - 1.0).epsilon(1e-6));
    CHECK(summarize(results).acc1 == Approx(10.0));
    CHECK(summarize(results).acc5 == Approx(50.0));
    CHECK(summarize(results, {0, 3}).acc1 == Approx(50.0));
    CHECK(summarize(results, {}).count == 0);
  }
  CHECK(model.training());
}

namespace {

/// The one run of a tiny study.
struct TrainedRun {
  TemporaryFolder folder;
  Study study = prepare_study(tiny_study(folder.path));
  RunRecord record = run_study(study).at(0);
  fs::path path = folder.path / "runs" / "m3_b24_noise50";
  /// The labels that it learned.
  CorruptedLabels noisy{study.data.train, 0.5, study.options.run.seed};
};

}  // namespace

TEST_CASE("a run leaves curves", "[experiments][glyphs]") {
  const TrainedRun run;
  const RunRecord& record = run.record;
  const fs::path& path = run.path;
  CHECK(record.groups == 3);
  REQUIRE(record.epochs.size() == 3);

  std::int64_t corrupt = 0;
  for (std::int64_t i = 0; i < run.noisy.size(); ++i) corrupt += run.noisy.is_corrupt(i);
  CHECK(record.last().corrupt.count == corrupt);
  CHECK(record.last().pristine.count == 200 - corrupt);
  CHECK(record.last().train_sample.acc1 * 200 ==
        Approx(record.last().corrupt.acc1 * static_cast<double>(corrupt) +
               record.last().pristine.acc1 * static_cast<double>(200 - corrupt)));

  CHECK_FALSE(fs::exists(path.string() + ".partial"));
  for (const char* file : {"pristine.csv", "corrupt.csv", "train_sample.csv", "test.csv"}) {
    CAPTURE(file);
    const auto rows = rows_of(path / file);
    REQUIRE(rows.size() == 3);
    CHECK(rows[2][0] == "2");
  }
  std::int64_t trained = 0;
  for (const auto& row : rows_of(path / "train.csv")) trained += std::stoll(row[2]);
  CHECK(trained == 2 * 192);  // 8 full batches of 24; the 8 examples left over are dropped
}

TEST_CASE("a run leaves its weights and the list of what it learned", "[experiments][glyphs]") {
  const TrainedRun run;
  const fs::path& path = run.path;
  const auto difficulty = read_difficulty(path / "difficulty.csv");
  REQUIRE(difficulty.size() == 200);
  std::int64_t learned_at_the_end = 0;
  for (const ExampleDifficulty& e : difficulty) {
    CHECK(e.corrupt() == run.noisy.is_corrupt(e.index));
    learned_at_the_end += e.learned_since.has_value();
    if (e.learned_since) CHECK(*e.first_learned <= *e.learned_since);
    CHECK(e.el2n > 0.0);
    CHECK(e.gradient_norm > e.el2n);
    CHECK(std::isfinite(e.aum));
  }

  // The saved weights are those that were evaluated last.
  const auto model =
      make_model("mlp", {.image = run.noisy.image_shape(), .classes = 10, .seed = 99});
  load_state(*model, path / "weights.safetensors");
  model->to(cpu_backend());
  Evaluator evaluate(run.study.data.test, cpu_backend(), 1);
  CHECK(summarize(evaluate(*model)).loss ==
        Approx(run.record.last().test.loss).epsilon(1e-5));  // six digits

  const auto learned = rows_of(path / "learned_examples.csv");
  const auto not_learned = rows_of(path / "not_learned_examples.csv");
  CHECK(learned.size() + not_learned.size() == 200);
  CHECK(std::ssize(learned) == learned_at_the_end);
  CHECK(100.0 * static_cast<double>(learned.size()) / 200.0 ==
        Approx(run.record.last().train_sample.acc1));
  const auto config = nlohmann::json::parse(read_file(path / "config.json"));
  CHECK(config["aggregator"] == "m3");
  CHECK(config["parameters"] == run.study.parameters);
  CHECK(config["version"] == kVersion);
}

TEST_CASE("held-out examples are not trained on, and as noisy", "[experiments][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options = small_study(folder.path / "runs", {.train_size = 400, .test_size = 40});
  options.validation = 0.25;
  const StudyData data = open_study_data(options);
  REQUIRE(data.validation != nullptr);
  CHECK(data.train->size() == 300);
  CHECK(data.validation->size() == 100);
  std::set<std::int64_t> all;
  for (const DatasetPtr& part : {data.train, data.validation}) {
    for (std::int64_t i = 0; i < part->size(); ++i) all.insert(part->whole_index(i));
  }
  CHECK(all.size() == 400);

  const Study study = prepare_study(options, data);
  const RunRecord run = run_study(study).at(0);
  for (const EpochRecord& e : run.epochs) CHECK(e.validation.count == 100);
  const RunRecord read = read_run(run.folder);
  CHECK(read.classes == 10);
  CHECK(read.last().validation.acc1 == Approx(run.last().validation.acc1).epsilon(1e-5));
  CHECK(read_config(run.folder)["data"]["validation"]["used_examples"] == 100);
  // Corrupt labels are wrong nine times out of ten: a model of true labels is right on 55 %.
  const auto labels = noisy(data.validation, run.settings, data, NoisePart::validation);
  std::int64_t corrupt = 0;
  for (std::int64_t i = 0; i < labels->size(); ++i) corrupt += labels->is_corrupt(i);
  CHECK(corrupt > 35);
  CHECK(corrupt <= 50);
  options.validation = std::nullopt;
  CHECK(open_study_data(options).validation == nullptr);
  options.validation = 0.001;
  CHECK_THROWS_WITH(open_study_data(options), contains("--validation 0.001 of 400"));
}

TEST_CASE("a resumed study keeps a finished run as it is", "[experiments][glyphs]") {
  TrainedRun run;
  CHECK_THROWS_WITH(prepare_study(run.study.options), contains("m3_b24_noise50"));
  StudyOptions resumed = run.study.options;
  run.study.lock.reset();
  resumed.resume = true;
  resumed.aggregators = "m3@24,mean@24";
  const std::string weights = read_file(run.path / "weights.safetensors");
  const std::vector<RunRecord> both = run_study(prepare_study(resumed));
  REQUIRE(both.size() == 2);
  CHECK(both[0].last().corrupt.acc1 == Approx(run.record.last().corrupt.acc1).epsilon(1e-5));
  CHECK(both[0].seconds == run.record.seconds);
  CHECK(read_file(run.path / "weights.safetensors") == weights);
  CHECK(fs::exists(run.folder.path / "runs" / "mean_b24_noise50" / "summary.json"));
}

TEST_CASE("a study repeats itself to the bit", "[experiments][determinism][glyphs]") {
  const TemporaryFolder folder;
  std::string weights[2], curves[2];
  for (int i = 0; i < 2; ++i) {
    StudyOptions options = tiny_study(folder.path);
    options.output_dir += std::to_string(i);
    options.run.workers = 1 + i;
    options.run.epochs = 1;
    run_study(prepare_study(options));
    const fs::path path = fs::path(options.output_dir) / "m3_b24_noise50";
    weights[i] = read_file(path / "weights.safetensors");
    curves[i] = read_file(path / "train.csv") + read_file(path / "corrupt.csv");
  }
  CHECK(weights[0] == weights[1]);
  CHECK(curves[0] == curves[1]);
}

TEST_CASE("a run that diverges is a row of the study, and the others are made",
          "[experiments][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options = tiny_study(folder.path);
  options.learning_rates = "0.1,1e30,0.03";
  const auto check = [&](const std::vector<RunRecord>& records) {
    REQUIRE(records.size() == 3);
    CHECK(records[0].finished());
    CHECK(records[2].finished());
    CHECK(records[2].epochs.size() == 3);
    CHECK(records[1].failure == "diverged at epoch 1, step 2");
    CHECK(records[1].epochs.size() == 1);
    CHECK_THROWS_WITH(check_all_finished(records),
                      contains("1 of 3 runs failed") &&
                          contains("m3_b24_noise50_lr1e+30.failed: diverged at epoch 1, step 2"));
  };
  check(run_study(prepare_study(options)));
  const fs::path failed = folder.path / "runs" / "m3_b24_noise50_lr1e+30.failed";
  CHECK(fs::exists(failed));
  CHECK_FALSE(fs::exists(failed.parent_path() / "m3_b24_noise50_lr1e+30"));
  CHECK(read_run(failed).failure == "diverged at epoch 1, step 2");

  // It is not tried again unless asked.
  CHECK_THROWS_WITH(prepare_study(options), contains("holds a finished run: give --resume"));
  const auto written = fs::last_write_time(failed / "summary.json");
  options.resume = true;
  check(run_study(prepare_study(options)));
  CHECK(fs::last_write_time(failed / "summary.json") == written);
  options.retry_failed = true;
  check(run_study(prepare_study(options)));
  CHECK(fs::last_write_time(failed / "summary.json") > written);
}

TEST_CASE("a study that cannot run is refused before anything is written",
          "[experiments][glyphs]") {
  const TemporaryFolder folder;
  const auto refused = [&](auto change, const std::string& complaint) {
    StudyOptions options = tiny_study(folder.path);
    change(options);
    CAPTURE(complaint);
    CHECK_THROWS_WITH(prepare_study(options), contains(complaint));
    CHECK_FALSE(fs::exists(folder.path / "runs"));
  };
  refused([](StudyOptions& o) { o.run.model = "perceptron"; }, "perceptron");
  refused([](StudyOptions& o) { o.aggregators = "m5"; }, "m5");
  refused([](StudyOptions& o) { o.aggregators = "m3@201"; }, "201");
  refused([](StudyOptions& o) { o.aggregators = "mom:7@5"; }, "5");
  refused([&](StudyOptions& o) { o.dataset = "imagenet", o.data = folder.path.string(); },
          "there is no folder train/");
  refused([](StudyOptions& o) { o.augment = true; }, "--augment");
  refused([](StudyOptions& o) { o.image_size = 64; }, "--image-size");
  refused([](StudyOptions& o) { o.train_indices = "/no/such/file"; }, "/no/such/file");
  refused([&](StudyOptions& o) { o.dataset = "mnist", o.data = (folder.path / "no").string(); },
          "train-images-idx3-ubyte");
  refused([](StudyOptions& o) { o.output_dir = "/proc/cograd"; }, "/proc/cograd");
}

TEST_CASE("errors become exit statuses", "[experiments]") {
  CHECK(report_errors("test", [] {}) == 0);
  CHECK(report_errors("test", [] { throw ValueError("an expected complaint"); }) == 1);
  CHECK(report_errors("test", [] { throw UsageError("an expected complaint"); }) == 2);
}
