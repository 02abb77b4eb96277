// Run directories: their files, and what is made of those that are there already.
#include "cograd/experiments/record/run_directory.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cograd/engine/file.h"
#include "cograd/experiments/record/run_results.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::run_with;
using cograd::testing::TemporaryFolder;
namespace fs = std::filesystem;

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
