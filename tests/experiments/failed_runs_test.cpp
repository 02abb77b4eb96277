// Runs that failed, in claims, figures, tables, pages and runs.csv.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cograd/engine/file.h"
#include "cograd/experiments/report/accuracy.h"
#include "cograd/experiments/report/coherence.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/generalization.h"
#include "cograd/experiments/report/group_size.h"
#include "cograd/experiments/report/learning_order.h"
#include "cograd/experiments/report/learning_rates.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/page/runs_csv.h"
#include "cograd/experiments/report/setting.h"
#include "cograd/experiments/report/winsorization.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

constexpr const char* kWhy = "diverged at epoch 1, step 7";

/// After so many of its epochs, of which the first is before training.
RunRecord failed(RunRecord run, std::size_t epochs) {
  run.failure = kWhy;
  run.epochs.resize(epochs);
  return run;
}

RunRecord with_seed(RunRecord run, std::uint64_t seed) {
  run.settings.seed = seed;
  return run;
}

RunRecord with_rate(RunRecord run, double rate) {
  run.settings.learning_rate = rate;
  return run;
}

const RunRecord kMean = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
const RunRecord kMedian = run_with("m3", 30, 0.5, 60.0, 30.0, 69.0);

}  // namespace

TEST_CASE("points are of finished runs and know the others", "[report][failed]") {
  const std::vector<RunRecord> runs{kMean, failed(with_seed(kMean, 2), 0), failed(kMedian, 1)};
  const std::vector<Setting> settings = settings_of(runs);
  REQUIRE(settings.size() == 1);
  CHECK(settings[0].seeds() == 1);
  CHECK(settings[0].failed.size() == 1);
  CHECK(seeds_text(settings[0]) == "1 of 2");
  CHECK(settings[0].last([](const EpochRecord& e) { return e.corrupt.acc1; }).mean == 80.0);
  CHECK(all_settings_of(runs).size() == 2);
}

TEST_CASE("claims say over how many seeds they are", "[report][failed]") {
  const std::vector<Claim> claims =
      memorization_claims({kMean, with_seed(kMean, 2), failed(with_seed(kMean, 3), 1), kMedian});
  REQUIRE(claims.size() == 6);
  CHECK(claims[0].measured == "80.0 ± 0.0 % (2 of 3 seeds), margin +10.0 (10.0 to 10.0)");
  CHECK(claims[1].measured == "30.0 against 80.0 % (1 of 3 seeds), margin +10.0");
  // Without a partner that finished there is nothing to compare with.
  CHECK(memorization_claims({failed(kMean, 2), kMedian}).empty());
  CHECK(memorization_claims({kMean, failed(kMedian, 2)}).size() == 1);
  const RunRecord weak = run_with("winsorized:1", 30, 0.5, 60.0, 30.0, 69.0);
  CHECK(winsorization_claims({kMean, failed(weak, 1)}).empty());
}

TEST_CASE("tables have a row for every run that failed", "[report][failed]") {
  const std::vector<RunRecord> runs{kMean, failed(with_seed(kMean, 2), 1),
                                    failed(with_rate(kMean, 0.3), 0)};
  const Table numbers = final_numbers(runs);
  REQUIRE(numbers.rows.size() == 3);
  CHECK(numbers.rows[0].at(4) == "1 of 2");
  CHECK(numbers.rows[1] == std::vector<std::string>{"mean b30 lr0.1", "1", "30", "50", "seed 2",
                                                    fmt::format("failed: {}", kWhy)});
  CHECK(numbers.rows[2].front() == "mean b30 lr0.3");
  const Table rates = best_learning_rates(runs);
  REQUIRE(rates.rows.size() == 1);
  CHECK(rates.rows[0].at(2) == "0.1 (the smallest); failed at 0.3");
  CHECK(
      best_learning_rates({failed(kMean, 0), failed(with_rate(kMean, 0.3), 1)}).rows.at(0).at(2) ==
      "–; failed at 0.1, 0.3");
}

TEST_CASE("figures draw what a failed run measured", "[report][failed]") {
  const std::vector<FigureGroup> groups =
      accuracy_figures({kMean, failed(with_seed(kMean, 2), 1), failed(with_rate(kMean, 0.3), 0)});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].note ==
        fmt::format("✗ Failed: mean b30 lr0.1 seed 2: {0}; mean b30 lr0.3: {0}.", kWhy));
  for (const Figure& figure : groups[0].figures) {
    REQUIRE(figure.curves.size() == 2);
    CHECK_FALSE(figure.curves[0].failed);
    CHECK(figure.curves[0].x.size() == 2);
    CHECK(figure.curves[1].failed);
    CHECK(figure.curves[1].label == "mean b30 lr0.1 ✗");
    CHECK(figure.curves[1].x == std::vector<double>{0.0});
    CHECK_THAT(gnuplot_script(figure), contains("pt 2 "));
  }
}

TEST_CASE("a study of which every run failed has a page", "[report][failed]") {
  const TemporaryFolder folder;
  for (const std::size_t epochs : {0, 1, 2}) {
    const std::vector<RunRecord> runs{failed(kMean, epochs), failed(kMedian, epochs),
                                      failed(run_with("winsorized:2", 30, 0.0, 1.0, 1.0, 1.0), 0)};
    CHECK(memorization_claims(runs).empty());
    CHECK(winsorization_claims(runs).empty());
    CHECK(group_size_figures(runs).empty());
    CHECK(learning_order_figures(runs).empty());
    CHECK(coherence_figures(runs).empty());
    CHECK(difficulty_table(runs).rows.empty());
    Report report = memorization_report(runs);
    write_report(report, folder.path);
    const std::string page = read_file(folder.path / "report.html");
    CHECK_THAT(page, contains("3 of 3 runs failed:"));
    CHECK_THAT(page, contains("<li>m3 b30, 50 % noise, learning rate 0.1, seed 1: diverged at"));
    CHECK_THAT(page, contains("colspan=\"8\">failed: diverged at epoch 1, step 7</td>"));
    CHECK(page.find("Skipped images") == std::string::npos);
  }
  CHECK_NOTHROW(report_html(memorization_report({}), {}, ""));
}

TEST_CASE("easy and hard sides may have failed", "[report][failed]") {
  RunRecord side = kMean;
  for (EpochRecord& e : side.epochs) {
    e.further = {{"easy_test", {100, 1.0, 90.0, 99.0}}, {"hard_test", {100, 1.0, 40.0, 99.0}}};
  }
  const std::vector<SideRuns> sides{{"easy", {side, failed(with_seed(side, 2), 1)}},
                                    {"hard", {failed(side, 0)}}};
  const std::vector<Claim> claims = generalization_claims(sides, {{0.9, 0.5}});
  REQUIRE(claims.size() == 2);  // nothing about the hard side
  CHECK(claims[0].measured == "90.0 against 40.0 % (1 of 2 seeds), margin +30.0");
  CHECK(claims[0].verdict == Verdict::one_seed);
  const FigureGroup group = generalization_figures("sides", sides);
  CHECK_THAT(group.note, contains("on hard: diverged"));
  CHECK(group.figures.at(0).curves.size() == 2);
  const Table table = generalization_table(sides);
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[2].back() == fmt::format("failed: {}", kWhy));
  CHECK(generalization_claims({{"easy", {}}, {"hard", {}}}, {{0.9, 0.5}}).size() == 1);
}

TEST_CASE("images that were skipped stand in the report", "[report][failed]") {
  std::vector<RunRecord> runs{kMean, kMedian};
  runs[0].skipped_images = runs[1].skipped_images = 3;
  CHECK_THAT(report_html(memorization_report(runs), {}, ""),
             contains("<dt>Skipped images</dt><dd>3 in each run"));
  runs[1].skipped_images = 5;
  CHECK_THAT(report_html(memorization_report(runs), {}, ""), contains("3 to 5 in a run"));
}

TEST_CASE("runs.csv has a row a run", "[report][failed]") {
  std::vector<RunRecord> runs{kMean, failed(kMedian, 2), kMedian};
  runs[0].folder = "runs/study/easy/mean_b30";
  runs[1].folder = "elsewhere/m3, \"two\"";
  runs[0].epochs[0].test.acc1 = 59.5;  // the best is before the last
  runs[0].seconds = 1.5;
  runs[0].skipped_images = 4;
  runs[0].epochs.back().further["easy_test"] = {10, 0.25, 77.7, 90.0};
  runs[2].settings.corrupt_fraction = 1.0 / 3.0;
  runs[2].epochs.back().corrupt.count = 0;
  runs[2].settings.model = "=HYPERLINK(\"x\")";
  std::istringstream csv(runs_csv(runs, "runs/study", "mnist"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(csv, line);) lines.push_back(line);
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[0], contains("run,status,dataset,aggregator,groups,batch_size,"));
  CHECK_THAT(lines[0], contains("skipped_images,easy_test_loss,easy_test_acc1"));
  CHECK(lines[1] ==
        "easy/"
        "mean_b30,finished,mnist,mean,1,30,0.5,uniform,0.1,0,0,sgd,constant,0,mlp,0,,f32,1,1,1,95,"
        "1,90,1,80,"
        "1,58,59.5,0,37,1.5,0,4,0.25,77.7");
  CHECK(lines[2] ==
        "\"elsewhere/m3, \"\"two\"\"\",\"failed: diverged at epoch 1, step 7\",mnist,m3,1,30,0.5,"
        "uniform,0.1,0,0,sgd,constant,0,mlp,0,,f32,1,1,,,,,,,,,,,,0,0,0,,");
  CHECK_THAT(lines[3], contains(",0.333333,uniform,0.1,"));
  CHECK_THAT(lines[3], contains(",\"'=HYPERLINK(\"\"x\"\")\","));
  CHECK_THAT(lines[3], contains(",1,60,1,90,,,1,69,"));
}

TEST_CASE("figures of like titles do not overwrite each other", "[report]") {
  const TemporaryFolder folder;
  Report report;
  const std::vector<std::string> titles{"a_b", "a b", "a-b", "ä", "ö", "A b 2"};
  report.figures = {{"g", {}}};
  for (const std::string& title : titles) {
    report.figures[0].figures.push_back({title, "x", "y", {{"m3", {0.0, 1.0}, {1.0, 2.0}}}});
  }
  if (!write_report(report, folder.path).empty()) return;  // no gnuplot
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path)) {
    if (entry.path().extension() == ".svg") ++files;
  }
  CHECK(files == titles.size());
}

}  // namespace cograd::testing
