// What the studies share: command line, run directories, progress.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cograd/engine/file.h"
#include "cograd/experiments/console/progress.h"
#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/options.h"
#include "cograd/experiments/study/presets.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::run_with;
using cograd::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

StudyOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "label_noise");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), "A study.",
                       label_noise_preset);
}
}  // namespace

TEST_CASE("presets set defaults and explicit flags win", "[experiments]") {
  CHECK(parse({}).dataset == "glyphs");
  CHECK(parse({"--preset", "laptop"}).run.epochs == 60);
  CHECK(parse({"--epochs", "3", "--preset", "laptop"}).run.epochs == 3);
  CHECK(parse({"--preset", "paper"}).dataset == "imagenet");
  CHECK(parse({"--preset", "paper", "--dataset", "mnist"}).dataset == "mnist");
  // The paper's schedules: StepLR(30, 0.1) for ResNets, cosine for VGG and Inception.
  const auto schedule = [](std::vector<const char*> arguments) {
    return parse(std::move(arguments)).run.schedule;
  };
  CHECK(schedule({"--preset", "paper"}) == "step");
  CHECK(schedule({"--preset", "paper", "--model", "resnet50"}) == "step");
  for (const char* model : {"vgg13_bn", "vgg16_bn", "inception_v3"}) {
    CHECK(schedule({"--preset", "paper", "--model", model}) == "cosine");
    CHECK(schedule({"--model", model, "--preset", "paper"}) == "cosine");
    CHECK(schedule({"--preset", "paper", "--model", model, "--schedule", "step"}) == "step");
    CHECK(schedule({"--preset", "laptop", "--model", model}) == "constant");
    CHECK(parse({"--preset", "paper", "--model", model}).run.model == model);
    CHECK(easy_hard_preset("paper", "", model).study.run.schedule == "cosine");
  }
  // A batch size given explicitly replaces those in the preset's list of aggregators.
  const StudyOptions options = parse({"--batch-size", "24"});
  CHECK(options.run.batch_size == 24);
  CHECK(options.aggregators == "mean,m3,rm3,ra3");
}

TEST_CASE("easy_hard's paper preset is the authors'", "[experiments]") {
  const EasyHardOptions options = easy_hard_preset("paper", "");
  CHECK(options.scout_epochs == 2);
  CHECK(options.split_train == 500'000);
  CHECK(options.split_test == 100'000);
  const StudyOptions& study = options.study;
  CHECK(study.dataset == "imagenet");
  CHECK(study.learning_rates == "0.1");
  CHECK(study.momentum_of_mean == 0.9);
  CHECK(study.run.weight_decay == 0.0);
  CHECK(study.run.model == "resnet18");
  CHECK(study.run.batch_size == 256);
  CHECK(study.run.epochs == 90);
  CHECK(study.run.schedule == "step");
}

TEST_CASE("the command line refuses what it does not know", "[experiments]") {
  CHECK_THROWS_WITH(parse({"--frobnicate"}), contains("--frobnicate"));
  CHECK_THROWS_WITH(parse({"--dataset", "cats"}), contains("cats"));
  CHECK_THROWS_WITH(parse({"--epochs", "0"}), contains("--epochs"));
  CHECK_THROWS_WITH(parse({"--epochs", "many"}), contains("many"));
  CHECK_THROWS_AS(parse({"--preset", "huge"}), UsageError);
  CHECK_THAT(parse({"--help"}).help, contains("--corrupt-fraction"));
}

TEST_CASE("the flag --threads is a number of threads", "[experiments][threads]") {
  CHECK(parse({}).threads == 0);
  CHECK(parse({"--threads", "1"}).threads == 1);
  CHECK(parse({"--threads", "1024"}).threads == 1024);
  for (const char* bad : {"0", "-1", "x", "", "1.5", "2x", "1025", "99999999999"}) {
    CHECK_THROWS_WITH(parse({"--threads", bad}), contains("--threads"));
  }
}

TEST_CASE("the command is quoted for a shell", "[experiments]") {
  const StudyOptions options = parse({"--output-dir", "my run's"});
  CHECK(options.command == "label_noise --output-dir 'my run'\\''s'");
}

TEST_CASE("commas inside an aggregator do not end it", "[experiments]") {
  const std::vector<AggregatorChoice> expected = {
      {"m3", 30}, {"trimmed:5,1", 20}, {"mean", 0}, {"trimmed:7,2", 0}, {"winsorized:10", 8}};
  CHECK(parse_aggregators("m3@30,trimmed:5,1@20,mean,trimmed:7,2,winsorized:10@8") == expected);
  CHECK_THROWS_AS(parse_aggregators("m3@"), UsageError);
  CHECK_THROWS_AS(parse_aggregators("m3@3x"), UsageError);
  CHECK_THROWS_AS(parse_aggregators("m3,,mean"), UsageError);
}

TEST_CASE("fractions lie in 0 to 1", "[experiments]") {
  CHECK(parse_fractions("0,0.25,1") == std::vector<double>{0.0, 0.25, 1.0});
  for (const char* bad : {"1.5", "-0.1", "half", "", "0.5,", "nan"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_fractions(bad), UsageError);
  }
}

TEST_CASE("learning rates are positive numbers", "[experiments]") {
  CHECK(parse_learning_rates("0.03,1e-3,2") == std::vector<double>{0.03, 1e-3, 2.0});
  for (const char* bad : {"0", "-0.1", "fast", "", "0.1,", "inf", "nan"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_learning_rates(bad), UsageError);
  }
  CHECK_THROWS_WITH(parse_learning_rates("0.1,fast"), contains("--lr: 'fast' is not"));
}

TEST_CASE("every setting runs with every learning rate, under its own name", "[experiments]") {
  const std::vector<RunSettings> runs =
      list_runs(parse({"--lr", "0.03,0.1", "--aggregator", "mean@30,m3@30", "--corrupt-fraction",
                       "0.5", "--seeds", "2"}));
  REQUIRE(runs.size() == 8);
  CHECK(directory_name_of(runs[0]) == "mean_b30_noise50_lr0.03");
  CHECK(directory_name_of(runs[1]) == "mean_b30_noise50_lr0.03_seed2");
  CHECK(directory_name_of(runs[6]) == "m3_b30_noise50");
  CHECK(runs[4].learning_rate == 0.03);
  CHECK_THROWS_AS(list_runs(parse({"--lr", "0.1,0.10"})), UsageError);
}

TEST_CASE("runs are the pairs of fractions and aggregators", "[experiments]") {
  StudyOptions options;
  options.aggregators = "mean@30,m3@30,mean@10";
  options.corrupt_fractions = "0,0.5";
  const std::vector<RunSettings> runs = list_runs(options);
  REQUIRE(runs.size() == 6);
  CHECK(directory_name_of(runs[1]) == "m3_b30_noise0");
  CHECK(directory_name_of(runs[5]) == "mean_b10_noise50");
  CHECK(label_of(runs[5]) == "mean b10");
}

TEST_CASE("every setting runs with every seed, under its own name", "[experiments]") {
  const StudyOptions options =
      parse({"--seeds", "3", "--aggregator", "mean@30,m3@30", "--corrupt-fraction", "0.5"});
  const std::vector<RunSettings> runs = list_runs(options);
  REQUIRE(runs.size() == 6);
  CHECK(directory_name_of(runs[0]) == "mean_b30_noise50");
  CHECK(directory_name_of(runs[2]) == "mean_b30_noise50_seed3");
  CHECK(directory_name_of(runs[3]) == "m3_b30_noise50");
  CHECK(runs[5].seed == 3);
  CHECK_THROWS_WITH(parse({"--seeds", "0"}), contains("--seeds"));
}

TEST_CASE("runs that cannot work are refused before they start", "[experiments]") {
  StudyOptions options;
  options.aggregators = "m4x";
  CHECK_THROWS_WITH(list_runs(options), contains("m4x"));
  options.aggregators = "m3@2";
  CHECK_THROWS_AS(list_runs(options), ValueError);
  options.aggregators = "mean,mean";
  CHECK_THROWS_WITH(list_runs(options), contains("mean_b32_noise0"));
  options.aggregators = "rm3";
  options.run.momentum = 0.9;
  CHECK_THROWS_AS(list_runs(options), ValueError);
  options.run.force_momentum = true;
  CHECK(list_runs(options).size() == 1);
}

TEST_CASE("the paper's momentum is the mean's alone, an explicit one everybody's",
          "[experiments]") {
  const auto momenta = [](const StudyOptions& options) {
    std::vector<double> result;
    for (const RunSettings& run : list_runs(options)) result.push_back(run.momentum);
    return result;
  };
  CHECK(momenta(parse({"--preset", "paper", "--corrupt-fraction", "0", "--aggregator",
                       "mean,m3"})) == std::vector<double>{0.9, 0.0});
  CHECK(momenta(parse({"--momentum", "0.5", "--corrupt-fraction", "0", "--aggregator",
                       "mean,m3"})) == std::vector<double>{0.5, 0.5});
}

TEST_CASE("a run directory has the schema and gets its name at the end", "[experiments]") {
  const TemporaryFolder folder;
  {
    RunDirectory directory(folder.path, "m3_b30_noise50", {{"seed", 7}});
    EpochRecord record;
    record.epoch = 2;
    record.pristine = {10, 0.5, 90.0, 100.0};
    record.test = {20, 0.25, 12.5, 50.0};
    directory.train(2, 33, 990, 1.5);
    directory.coherence(2, 33, {"fc1.weight", 0.375, {0.5, 1.5}}, 30);
    directory.evaluation(record);
    CHECK_FALSE(fs::exists(folder.path / "m3_b30_noise50"));
    // Rows are on the disk after each evaluation, not only at the end.
    CHECK(read_file(directory.path("train.csv")) == "epoch,step,count,loss\n2,33,990,1.5\n");
    RunRecord finished;
    finished.epochs = {record};
    directory.finish(finished);
  }
  const fs::path path = folder.path / "m3_b30_noise50";
  CHECK_FALSE(fs::exists(path.string() + ".partial"));
  CHECK(nlohmann::json::parse(read_file(path / "config.json"))["seed"] == 7);
  CHECK(read_file(path / "train.csv") == "epoch,step,count,loss\n2,33,990,1.5\n");
  CHECK(read_file(path / "pristine.csv") == "epoch,count,loss,acc1,acc5\n2,10,0.5,90,100\n");
  CHECK(read_file(path / "corrupt.csv") == "epoch,count,loss,acc1,acc5\n");  // nothing was corrupt
  CHECK(read_file(path / "test.csv") == "epoch,count,loss,acc1,acc5\n2,20,0.25,12.5,50\n");
  CHECK(read_file(path / "coherence.csv") ==
        "epoch,step,parameter,coherence,squared_norm,variance,alpha,m_coherence,noise_scale\n"
        "2,33,fc1.weight,0.375,0.5,1.5,0.25,8.25,3\n");
}

TEST_CASE("finished runs are read back, others refused, broken-off ones replaced",
          "[experiments]") {
  const TemporaryFolder folder;
  const nlohmann::ordered_json config = {{"learning_rate", 0.1}, {"workers", 1}};
  RunRecord run = run_with("m3", 30, 0.5, 60.0, 30.0, 69.0);
  run.groups = 3;
  run.seconds = 12.5;
  run.settings.epochs = 1;
  const std::string name = directory_name_of(run.settings);

  CHECK_FALSE(run_in(folder.path, run.settings, config));
  { RunDirectory broken(folder.path, name, {{"learning_rate", 0.7}}); }
  CHECK_FALSE(run_in(folder.path, run.settings, config));
  {
    RunDirectory directory(folder.path, name, config);
    for (const EpochRecord& record : run.epochs) directory.evaluation(record);
    directory.finish(run);
  }
  const auto read_back =
      run_in(folder.path, run.settings, {{"learning_rate", 0.1}, {"workers", 4}});
  REQUIRE(read_back);
  CHECK(read_back->groups == 3);
  CHECK(read_back->seconds == 12.5);
  CHECK(read_back->epochs.size() == 2);
  CHECK(read_back->epochs[0].corrupt.count == 0);
  CHECK(read_back->last().epoch == 1);
  CHECK(read_back->last().corrupt.acc1 == 30.0);
  CHECK(read_back->last().test.loss == 1.0);

  CHECK_THROWS_WITH(run_in(folder.path, run.settings, {{"learning_rate", 0.2}}),
                    contains("learning_rate 0.1 instead of 0.2"));
  std::ofstream(folder.path / name / "test.csv") << "epoch,count,loss,acc1,acc5\n0,1,2,3\n";
  CHECK_THROWS_WITH(run_in(folder.path, run.settings, config),
                    contains("test.csv is damaged or was changed"));
  fs::remove(folder.path / name / "config.json");
  CHECK_THROWS_WITH(run_in(folder.path, run.settings, config), contains("config.json"));
}

TEST_CASE("an output folder must be writable", "[experiments]") {
  const TemporaryFolder folder;
  CHECK_NOTHROW(check_output_folder(folder.path / "a" / "b"));
  std::ofstream(folder.path / "file") << "x";
  CHECK_THROWS_AS(check_output_folder(folder.path / "file"), IoError);
  CHECK_THROWS_AS(check_output_folder(folder.path / "file" / "inside"), IoError);
}

TEST_CASE("progress text fits its width", "[experiments]") {
  ProgressState state{.label = "m3 b30, 50 % noise", .done = 400000, .total = 1000000};
  state.rate = 13333.3;
  state.left = 45.0;
  CHECK(progress_line(state) == " 40 % m3 b30, 50 % noise  13.3k examples/s  45 s left");
  for (const int width : {0, 5, 30, 50, 80, 120}) {
    CAPTURE(width);
    CHECK(progress_bar(state, width).size() <= static_cast<std::size_t>(width));
  }
  CHECK_THAT(progress_bar(state, 120), contains("[################------------------------]"));
  CHECK_THAT(progress_bar(state, 80), contains("45 s left"));
  state.waiting = 0.154;
  CHECK(progress_line(state) ==
        " 40 % m3 b30, 50 % noise  13.3k examples/s  15 % waiting for data  45 s left");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(3725) == "1:02:05");
  CHECK(count_text(123.4) == "123");
}

TEST_CASE("the time left depends on the speed of each aggregator", "[experiments]") {
  TimeLeft time({{"mean", 1000, 0.001}, {"slow", 100, 0.013}, {"mean", 1000, 0.001}});
  CHECK(time.seconds() == Approx(1.0 + 1.3 + 1.0));  // as expected
  time.spent(0, 500, 1.0);                           // twice as slow: the others will be, too
  CHECK(time.rate(0) == Approx(500.0));
  CHECK(time.rate(2) == Approx(500.0));  // of one kind
  CHECK(time.rate(1) == 0.0);
  CHECK(time.seconds() == Approx(1.0 + 2.6 + 2.0));
  time.dropped(0, 500);  // taken up from a checkpoint
  time.spent(1, 50, 5.0);
  CHECK(time.seconds() == Approx(5.0 + 2.0));
  TimeLeft unknown({{"a", 100}, {"b", 300}});
  CHECK(unknown.seconds() == 0.0);
  unknown.spent(0, 50, 2.0);
  CHECK(unknown.seconds() == Approx(2.0 + 12.0));
}

TEST_CASE("progress into a file is plain lines, one for each tenth", "[experiments]") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  {
    Progress progress({{"work", 1000}}, file);
    progress.begin(0, "work");
    for (int i = 0; i < 1000; ++i) progress.advance(1);
  }
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  CHECK(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  CHECK(text.find('\r') == std::string::npos);
  CHECK_THAT(text, contains("100 % work"));
}
