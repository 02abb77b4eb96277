// Runs that are broken off and taken up again: the same bits as those of an unbroken run.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cograd/data/decorated_dataset.h"
#include "cograd/engine/random.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "cograd/experiments/train/checkpoint.h"
#include "cograd/models/registry.h"
#include "cograd/models/safetensors.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

class Stopped : public std::exception {};

void stop() { throw Stopped(); }
void interrupt() { std::raise(SIGTERM); }

/// A data set that does something to the run at the n-th example.
class Stopping final : public DecoratedDataset {
 public:
  Stopping(DatasetPtr base, std::int64_t n, void (*act)() = stop)
      : DecoratedDataset(std::move(base)), left_(n), act_(act) {}
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    const std::int64_t left = left_--;
    if (act_ == stop ? left <= 0 : left == 0) act_();
    base().read(index, epoch, pixels);
  }
  const ChannelStatistics* byte_scale() const override { return nullptr; }

 private:
  mutable std::atomic<std::int64_t> left_;
  void (*act_)();
};

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Content of all files of a run, but those that tell the time.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "summary.json" || name == "checksums.txt") continue;  // of them
    if (name.starts_with("events.out")) continue;
    files[name] = content_of(entry.path());
  }
  return files;
}

StudyOptions study_options(const std::string& aggregator, const fs::path& folder) {
  StudyOptions options =
      small_study(folder, {.test_size = 30, .aggregators = aggregator, .epochs = 3});
  options.run.width = 16;
  options.run.checkpoint_every = 0.0;  // at every step
  options.run.contributions = true;
  options.resume = true;
  return options;
}

}  // namespace

TEST_CASE("a run that is broken off goes on to the bits of an unbroken one", "[resume][glyphs]") {
  const TemporaryFolder scratch;
  Random random(20);
  struct Case {
    std::string aggregator, optimizer = "sgd";
  };
  for (const Case& c : {Case{"m3@12"}, Case{"rm3@10"}, Case{"mean@16"}, Case{"m3@12", "adam"},
                        Case{"rm3@10", "adamw:0.8,0.95"}}) {
    const std::string aggregator = c.aggregator, optimizer = c.optimizer;
    CAPTURE(aggregator, optimizer);
    const auto run = [&](const std::string& folder, std::int64_t stop_after) {
      StudyOptions options = study_options(aggregator, scratch.path / folder);
      if (aggregator == "mean@16") options.momentum_of_mean = 0.9;
      options.run.optimizer = optimizer;
      if (optimizer != "sgd") {
        options.learning_rates = "0.002";
        options.run.weight_decay = 0.1;
        options.run.warmup = 1.5;
      }
      Study study = prepare_study(options);
      if (stop_after >= 0) {
        study.data.train = std::make_shared<Stopping>(study.data.train, stop_after);
      }
      run_study(study);
      return scratch.path / folder / directory_name_of(study.runs[0]);
    };
    const auto expected = files_of(run("unbroken", -1));
    REQUIRE(expected.contains("checkpoint.safetensors"));
    REQUIRE(expected.contains("weights.safetensors"));

    // Each attempt reads the whole set for its evaluations, and then gets some way in training.
    fs::path finished;
    int stops = 0;
    for (bool done = false; !done;) {
      REQUIRE(stops < 60);
      try {
        const auto some = static_cast<std::int64_t>(random.below(260));
        finished = run("broken", stops < 12 ? some : -1);
        done = true;
      } catch (const Stopped&) {
        ++stops;
      }
    }
    CHECK(stops >= 4);
    const auto found = files_of(finished);
    for (const auto& [name, content] : expected) {
      CAPTURE(name);
      REQUIRE(found.contains(name));
      CHECK((name == "config.json" || found.at(name) == content));
    }
    CHECK(found.size() == expected.size());
    fs::remove_all(scratch.path / "broken");
    fs::remove_all(scratch.path / "unbroken");
  }
}

TEST_CASE("a signal ends a run after a checkpoint, and no bit is lost", "[resume][glyphs]") {
  const TemporaryFolder scratch;
  Random random(21);
  const auto run = [&](const std::string& folder, std::int64_t signal_at) {
    StudyOptions options = study_options("m3@12", scratch.path / folder);
    options.run.checkpoint_every = 1e6;  // none but that of the signal
    options.run.workers = 0;
    options.resume = signal_at < 0 || fs::exists(scratch.path / folder);
    Study study = prepare_study(options);
    if (signal_at >= 0) {
      study.data.train = std::make_shared<Stopping>(study.data.train, signal_at, interrupt);
    }
    run_study(study);
    return scratch.path / folder / directory_name_of(study.runs[0]);
  };
  const auto expected = files_of(run("unbroken", -1));
  int signals = 0;
  fs::path finished;
  while (finished.empty()) {
    // Into evaluations before and in the first epoch as well as into steps.
    try {
      finished = run("broken", signals < 20 ? static_cast<std::int64_t>(random.below(200)) : -1);
    } catch (const Interrupted& interruption) {
      CHECK(interruption.signal() == SIGTERM);
      CHECK_THAT(interruption.what(), contains("stopped ") && contains("--resume"));
      ++signals;
    }
  }
  CHECK(signals >= 4);
  for (const auto& [name, content] : files_of(finished)) {
    CAPTURE(name);
    CHECK((name == "config.json" || expected.at(name) == content));
  }
}

TEST_CASE("the weights are on the disk before anything is made of them", "[resume][glyphs]") {
  const TemporaryFolder scratch;
  StudyOptions options = study_options("mean@20", scratch.path);
  Study study = prepare_study(options);
  const std::string name = directory_name_of(study.runs[0]);
  run_study(study);
  study.lock.reset();
  // As if the process had been killed after the last epoch's checkpoint.
  const fs::path partial = scratch.path / (name + ".partial");
  fs::rename(scratch.path / name, partial);
  for (const char* file : {"weights.safetensors", "summary.json", "checksums.txt",
                           "learned_examples.csv", "not_learned_examples.csv", "difficulty.csv"}) {
    REQUIRE(fs::remove(partial / file));
  }
  Study again = prepare_study(options);
  again.data.train = std::make_shared<Stopping>(again.data.train, 60);  // of 120 to be evaluated
  CHECK_THROWS_AS(run_study(again), Stopped);
  CHECK(fs::exists(partial / "weights.safetensors"));
  again.lock.reset();
  CHECK(run_study(prepare_study(options))[0].finished());
}

TEST_CASE("a finished run is taken for no run of other settings", "[resume][glyphs]") {
  const TemporaryFolder scratch;
  const Study study = prepare_study(study_options("mean@20", scratch.path));
  run_study(study);
  const RunSettings& run = study.runs[0];
  const auto config = config_of(study, run);
  CHECK(run_in(scratch.path, run, config).has_value());
  auto more = config, fewer = config;
  more["dropout"] = 0.0;
  CHECK_THROWS_WITH(run_in(scratch.path, run, more), contains("dropout unset instead of 0"));
  fewer.erase("schedule");
  CHECK_THROWS_WITH(run_in(scratch.path, run, fewer),
                    contains("schedule \"constant\" instead of unset"));
}

TEST_CASE("without --resume what is left of a run is replaced", "[resume][glyphs]") {
  const TemporaryFolder scratch;
  StudyOptions options = study_options("mean@20", scratch.path);
  Study study = prepare_study(options);
  study.data.train = std::make_shared<Stopping>(study.data.train, 400);
  CHECK_THROWS_AS(run_study(study), Stopped);
  const fs::path partial = scratch.path / (directory_name_of(study.runs[0]) + ".partial");
  REQUIRE(fs::exists(partial / "checkpoint.safetensors"));

  study.lock.reset();
  options.run.weight_decay = 0.05;  // another run: its checkpoint is not taken for this one's
  CHECK_THROWS_WITH(run_study(prepare_study(options)), contains("weight_decay"));
  options.resume = false;
  CHECK_NOTHROW(run_study(prepare_study(options)));
}

TEST_CASE("checkpoints of another model or none are refused", "[resume]") {
  const TemporaryFolder scratch;
  const auto model = make_model("mlp", {.width = 8});
  RollingMedian aggregator(3);
  Sgd sgd(model->parameters(), aggregator, {});
  LearningOrder order(5);
  const RunLength length{.epochs = 3, .steps_per_epoch = 8};
  order.observe(4, std::vector<ExampleResult>(5, {.rank = 0}));
  save_checkpoint(scratch.path / "c", *model, sgd, order, {.epoch = 3, .step = 7, .loss_sum = 0.1});
  const TrainingState state = load_checkpoint(scratch.path / "c", *model, sgd, order, length);
  CHECK(state.epoch == 3);
  CHECK(state.step == 7);
  CHECK(state.loss_sum == 0.1);
  LearningOrder of_four(4);
  CHECK_THROWS_WITH(load_checkpoint(scratch.path / "c", *model, sgd, of_four, length),
                    contains("5 examples: expected 4"));

  const auto other = make_model("mlp", {.width = 9});
  Sgd other_sgd(other->parameters(), aggregator, {});
  CHECK_THROWS_AS(load_checkpoint(scratch.path / "c", *other, other_sgd, order, length),
                  ShapeError);
  CHECK_THROWS_AS(load_checkpoint(scratch.path / "none", *model, sgd, order, length), IoError);
  write_safetensors(scratch.path / "weights", {});
  CHECK_THROWS_WITH(load_checkpoint(scratch.path / "weights", *model, sgd, order, length),
                    contains("no training state"));
  fs::resize_file(scratch.path / "c", fs::file_size(scratch.path / "c") - 1);
  CHECK_THROWS_AS(load_checkpoint(scratch.path / "c", *model, sgd, order, length), FormatError);
}

}  // namespace cograd::testing
