// Runs that are compared: their data, their names, and what is refused; folders of easy_hard.
#include "cograd/experiments/report/compared_runs.h"

#include <algorithm>
#include <filesystem>

#include "cograd/data/index_file.h"
#include "cograd/data/subset.h"
#include "cograd/experiments/report/easy_hard_report.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/setting.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

ComparedRun compared(const std::string& aggregator, const std::string& dataset, int examples,
                     const std::string& content = "a") {
  ComparedRun run{run_with(aggregator, 30, 0.5, 95.0, 80.0, 58.0), {}};
  run.record.folder = "runs/" + aggregator + dataset;
  run.config = {{"dataset", dataset},
                {"data", {{"train", {{"used_examples", examples}, {"chosen", content}}}}},
                {"classes", 10},
                {"image", "[1, 28, 28]"},
                {"augment", false}};
  return run;
}

std::vector<std::string> names(std::vector<ComparedRun> runs) {
  name_data(runs);
  std::vector<std::string> result;
  for (const ComparedRun& run : runs) result.push_back(label_of(run.record.settings));
  return result;
}

}  // namespace

TEST_CASE("runs on different data are told apart by what differs", "[report][compare]") {
  using Names = std::vector<std::string>;
  CHECK(names({compared("m3", "mnist", 100), compared("mean", "mnist", 100)}) ==
        Names{"m3 b30", "mean b30"});
  CHECK(names({compared("m3", "mnist", 100), compared("m3", "glyphs", 100)}) ==
        Names{"m3 b30 mnist", "m3 b30 glyphs"});
  CHECK(names({compared("m3", "mnist", 100), compared("m3", "mnist", 900)}) ==
        Names{"m3 b30 100 examples", "m3 b30 900 examples"});
  CHECK(names({compared("m3", "mnist", 100), compared("m3", "mnist", 100, "b")}) ==
        Names{"m3 b30", "m3 b30 data 2"});
  CHECK(names({compared("m3", "mnist", 100), compared("m3", "glyphs", 900, "b"),
               compared("m3", "glyphs", 900, "c")}) == Names{"m3 b30 mnist 100 examples",
                                                             "m3 b30 glyphs 900 examples",
                                                             "m3 b30 glyphs 900 examples data 2"});

  std::vector<ComparedRun> runs{compared("m3", "mnist", 100), compared("m3", "glyphs", 100)};
  CHECK_THROWS_WITH(check_same_data(runs),
                    contains("m3glyphs has dataset \"glyphs\" instead of \"mnist\" of") &&
                        contains("expected runs on the same data, or --across"));
  CHECK_THROWS_WITH(check_different(runs), contains("are runs of the same settings and seed"));
  name_data(runs);
  CHECK_NOTHROW(check_different(runs));
  // They are no seeds of one setting, and no claim mixes them.
  runs.push_back(compared("mean", "glyphs", 100));
  name_data(runs);
  std::vector<RunRecord> records;
  for (const ComparedRun& run : runs) records.push_back(run.record);
  CHECK(settings_of(records).size() == 3);
  CHECK(memorization_claims(records).size() ==
        memorization_claims({records[1], records[2]}).size());
  const std::vector<FigureGroup> groups = memorization_report(records).figures;
  for (const Figure& figure : groups.at(0).figures) {
    CHECK(figure.curves.size() == 3);
    CHECK(figure_fault(figure).empty());
  }
}

TEST_CASE("a folder of easy_hard is read back", "[report][compare][glyphs]") {
  const TemporaryFolder folder;
  StudyOptions options =
      small_study(folder.path / "scout", {.corrupt_fractions = "0", .epochs = 1});
  options.seeds = 2;
  const Study scouts = prepare_study(options);
  run_study(scouts);
  CHECK_FALSE(is_easy_hard(folder.path));
  for (const char* side : {"easy", "hard", "random"}) {
    StudyOptions part = small_study(folder.path / side, {.corrupt_fractions = "0", .epochs = 1});
    StudyData data = scouts.data;
    data.train = first_examples(data.train, 60);
    data.further_tests = {{"easy_test", data.test}, {"hard_test", data.test}};
    run_study(prepare_study(part, data));
  }
  REQUIRE(is_easy_hard(folder.path));
  std::vector<ComparedRun> all;
  const EasyHardRuns runs = read_easy_hard(folder.path, all);
  CHECK(all.size() == 5);
  CHECK(runs.scouts.size() == 2);
  REQUIRE(runs.sides.size() == 3);
  CHECK(runs.equal_classes.empty());
  Report report;
  add_easy_hard(runs, "mlp", report);
  CHECK(report.runs.size() == 5);
  CHECK(report.claims.size() == 3);
  CHECK_THAT(report.claims[0].text, contains("mlp: easy examples"));
  REQUIRE(report.tables.size() == 2);
  CHECK(report.tables[0].rows.size() == 3);
  CHECK(report.figures.at(0).figures.at(0).curves.size() == 3);

  fs::remove_all(folder.path / "hard");
  fs::create_directory(folder.path / "hard");
  CHECK_THROWS_WITH(read_easy_hard(folder.path, all),
                    contains("there is no finished run in") && contains("hard: finish the study"));
  fs::remove_all(runs.scouts[1].folder);
  CHECK_THROWS_WITH(read_easy_hard(folder.path, all), contains("has 1 finished scouts"));
}

}  // namespace cograd::testing
