// The command line of studies, and the runs that it names.
#include "cograd/experiments/study/options.h"

#include <cmath>

#include "cograd/experiments/record/run_directory.h"
#include "cograd/experiments/study/presets.h"
#include "tests/support/catch.h"
#include "tests/support/small_study.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::parse_label_noise;

TEST_CASE("presets set defaults and explicit flags win", "[experiments]") {
  CHECK(parse_label_noise({}).dataset == "glyphs");
  CHECK(parse_label_noise({"--preset", "laptop"}).run.epochs == 60);
  CHECK(parse_label_noise({"--epochs", "3", "--preset", "laptop"}).run.epochs == 3);
  CHECK(parse_label_noise({"--preset", "paper"}).dataset == "imagenet");
  CHECK(parse_label_noise({"--preset", "paper", "--dataset", "mnist"}).dataset == "mnist");
  // The paper's schedules: StepLR(30, 0.1) for ResNets, cosine for VGG and Inception.
  const auto schedule = [](std::vector<const char*> arguments) {
    return parse_label_noise(std::move(arguments)).run.schedule;
  };
  CHECK(schedule({"--preset", "paper"}) == "step");
  CHECK(schedule({"--preset", "paper", "--model", "resnet50"}) == "step");
  for (const char* model : {"vgg13_bn", "vgg16_bn", "inception_v3"}) {
    CHECK(schedule({"--preset", "paper", "--model", model}) == "cosine");
    CHECK(schedule({"--model", model, "--preset", "paper"}) == "cosine");
    CHECK(schedule({"--preset", "paper", "--model", model, "--schedule", "step"}) == "step");
    CHECK(schedule({"--preset", "laptop", "--model", model}) == "constant");
    CHECK(parse_label_noise({"--preset", "paper", "--model", model}).run.model == model);
    CHECK(easy_hard_preset("paper", "", model).study.run.schedule == "cosine");
  }
  // A batch size given explicitly replaces those in the preset's list of aggregators.
  const StudyOptions options = parse_label_noise({"--batch-size", "24"});
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
  CHECK_THROWS_WITH(parse_label_noise({"--frobnicate"}), contains("--frobnicate"));
  CHECK_THROWS_WITH(parse_label_noise({"--dataset", "cats"}), contains("cats"));
  CHECK_THROWS_WITH(parse_label_noise({"--epochs", "0"}), contains("--epochs"));
  CHECK_THROWS_WITH(parse_label_noise({"--epochs", "many"}), contains("many"));
  CHECK_THROWS_AS(parse_label_noise({"--preset", "huge"}), UsageError);
  CHECK_THAT(parse_label_noise({"--help"}).help, contains("--corrupt-fraction"));
}

TEST_CASE("the flag --threads is a number of threads", "[experiments][threads]") {
  CHECK(parse_label_noise({}).threads == 0);
  CHECK(parse_label_noise({"--threads", "1"}).threads == 1);
  CHECK(parse_label_noise({"--threads", "1024"}).threads == 1024);
  for (const char* bad : {"0", "-1", "x", "", "1.5", "2x", "1025", "99999999999"}) {
    CHECK_THROWS_WITH(parse_label_noise({"--threads", bad}), contains("--threads"));
  }
}

TEST_CASE("the command is quoted for a shell", "[experiments]") {
  const StudyOptions options = parse_label_noise({"--output-dir", "my run's"});
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
      list_runs(parse_label_noise({"--lr", "0.03,0.1", "--aggregator", "mean@30,m3@30",
                                   "--corrupt-fraction", "0.5", "--seeds", "2"}));
  REQUIRE(runs.size() == 8);
  CHECK(directory_name_of(runs[0]) == "mean_b30_noise50_lr0.03");
  CHECK(directory_name_of(runs[1]) == "mean_b30_noise50_lr0.03_seed2");
  CHECK(directory_name_of(runs[6]) == "m3_b30_noise50");
  CHECK(runs[4].learning_rate == 0.03);
  CHECK_THROWS_AS(list_runs(parse_label_noise({"--lr", "0.1,0.10"})), UsageError);
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
  const StudyOptions options = parse_label_noise(
      {"--seeds", "3", "--aggregator", "mean@30,m3@30", "--corrupt-fraction", "0.5"});
  const std::vector<RunSettings> runs = list_runs(options);
  REQUIRE(runs.size() == 6);
  CHECK(directory_name_of(runs[0]) == "mean_b30_noise50");
  CHECK(directory_name_of(runs[2]) == "mean_b30_noise50_seed3");
  CHECK(directory_name_of(runs[3]) == "m3_b30_noise50");
  CHECK(runs[5].seed == 3);
  CHECK_THROWS_WITH(parse_label_noise({"--seeds", "0"}), contains("--seeds"));
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

TEST_CASE("a flag takes no value", "[experiments]") {
  CHECK(parse_label_noise({"--resume"}).resume);
  for (const char* flag : {"--resume=3", "--augment=no", "--equal-updates=5"}) {
    CAPTURE(flag);
    CHECK_THROWS_AS(parse_label_noise({flag}), UsageError);
  }
}

TEST_CASE("equal updates give every batch size its number of epochs", "[experiments]") {
  const auto epochs = [](const StudyOptions& options) {
    std::vector<std::int64_t> result;
    for (const RunSettings& run : list_runs(options)) result.push_back(run.epochs);
    return result;
  };
  const auto study = [](std::initializer_list<const char*> more) {
    std::vector<const char*> arguments{
        "--corrupt-fraction", "0", "--epochs", "8", "--seeds", "1", "--aggregator",
        "mean@10,m3@30,m3@25"};
    arguments.insert(arguments.end(), more);
    return parse_label_noise(arguments);
  };
  CHECK(epochs(study({})) == std::vector<std::int64_t>{8, 8, 8});
  CHECK(epochs(study({"--equal-updates"})) == std::vector<std::int64_t>{8, 24, 20});
}

TEST_CASE("several learning rates hold out a tenth of the examples", "[experiments]") {
  CHECK(validation_share(parse_label_noise({"--lr", "0.1"})) == 0.0);
  CHECK(validation_share(parse_label_noise({"--lr", "grid"})) == 0.1);
  CHECK(validation_share(parse_label_noise({"--lr", "0.1,0.3", "--validation", "0"})) == 0.0);
  CHECK(validation_share(parse_label_noise({"--validation", "0.25"})) == 0.25);
  for (const char* share : {"1", "-0.1", "nan", "1.5"}) {
    CHECK_THROWS_WITH(validation_share(parse_label_noise({"--validation", share})),
                      contains("--validation"));
  }
  CHECK(parse_learning_rates("grid") == std::vector<double>{0.003, 0.01, 0.03, 0.1, 0.3});
}

TEST_CASE("the paper's momentum is the mean's alone, an explicit one everybody's",
          "[experiments]") {
  const auto momenta = [](const StudyOptions& options) {
    std::vector<double> result;
    for (const RunSettings& run : list_runs(options)) result.push_back(run.momentum);
    return result;
  };
  CHECK(momenta(parse_label_noise({"--preset", "paper", "--corrupt-fraction", "0", "--aggregator",
                                   "mean,m3"})) == std::vector<double>{0.9, 0.0});
  CHECK(momenta(parse_label_noise({"--momentum", "0.5", "--corrupt-fraction", "0", "--aggregator",
                                   "mean,m3", "--seeds", "1"})) == std::vector<double>{0.5, 0.5});
}
