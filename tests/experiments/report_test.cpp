// What a report says of runs: points, claims, figures, tables and the page.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/report/accuracy.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "cograd/experiments/report/group_size.h"
#include "cograd/experiments/report/learning_order.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/html.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/setting.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/trained_study.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::run_with;
using cograd::testing::TemporaryFolder;
using cograd::testing::TrainedStudy;

TEST_CASE("points hold the seeds of one setting", "[experiments]") {
  std::vector<RunRecord> runs{
      run_with("mean", 30, 0.5, 95.0, 80.0, 58.0), run_with("m3", 30, 0.5, 60.0, 30.0, 69.0),
      run_with("mean", 30, 0.5, 95.0, 84.0, 60.0), run_with("mean", 30, 0.5, 95.0, 91.0, 60.0)};
  runs[2].settings.seed = 2;
  runs[3].settings.seed = 3;
  const std::vector<Setting> settings = settings_of(runs);
  REQUIRE(settings.size() == 2);
  CHECK(settings[0].seeds() == 3);
  CHECK(settings[1].seeds() == 1);
  const Spread fitted = settings[0].last([](const EpochRecord& e) { return e.corrupt.acc1; });
  CHECK(fitted.mean == Approx(85.0));
  CHECK(fitted.low == 80.0);
  CHECK(fitted.high == 91.0);
  CHECK(fitted.std == Approx(std::sqrt((25.0 + 1.0 + 36.0) / 2.0)));
  CHECK(spread_text(fitted, 3) == "85.0 ± 5.6");
  CHECK(spread_text(fitted, 1) == "85.0");
  const std::vector<Claim> claims = memorization_claims(runs);
  CHECK(claims.size() == 6);  // one row a setting, not a run
  CHECK(claims[0].measured == "85.0 ± 5.6 %, margin +15.0 (1.2 to 28.8)");
  CHECK(claims[1].verdict == Verdict::one_seed);  // the only one in common
  CHECK(final_numbers(runs).rows.size() == 2);
  // The seeds' range lies as a band behind the curve, before all curves.
  const Figure figure = accuracy_figures(runs).front().figures.front();
  REQUIRE(figure.curves.size() == 2);
  CHECK(figure.curves[0].high.back() == 91.0);
  CHECK(figure.curves[1].high.empty());
  const std::string script = gnuplot_script(figure);
  CHECK(script.find("filledcurves") < script.find("linespoints"));
}

TEST_CASE("names tell points apart", "[report]") {
  std::vector<RunRecord> runs{run_with("mean", 30, 0.5, 95.0, 80.0, 58.0),
                              run_with("mean", 30, 0.5, 95.0, 80.0, 61.0),
                              run_with("m3", 30, 0.5, 60.0, 20.0, 69.0)};
  runs[1].settings.learning_rate = 0.03;
  runs[2].settings.learning_rate = 0.03;
  const std::vector<Setting> settings = settings_of(runs);
  REQUIRE(settings.size() == 3);
  CHECK(names_of({&settings[0], &settings[1], &settings[2]}) ==
        std::vector<std::string>{"mean b30 lr0.1", "mean b30 lr0.03", "m3 b30 lr0.03"});
  CHECK(names_of({&settings[0], &settings[2]}) == std::vector<std::string>{"mean b30", "m3 b30"});

  // A claim about m3 compares with the mean at its own rate.
  const std::vector<Claim> claims = memorization_claims(runs);
  REQUIRE(claims.size() == 6);
  CHECK(claims[4].measured == "69.0 against 61.0 %, margin +3.0");
}

TEST_CASE("three sizes of groups make a figure", "[report]") {
  std::vector<RunRecord> runs;
  for (const std::int64_t batch : {30, 60, 15}) {
    runs.push_back(run_with("m3", batch, 0.5, 60.0, static_cast<double>(batch), 69.0));
    runs.back().groups = 3;
  }
  runs.push_back(run_with("mean", 30, 0.5, 60.0, 90.0, 69.0));
  const std::vector<FigureGroup> groups = group_size_figures(runs);
  REQUIRE(groups.size() == 1);
  const Figure& figure = groups[0].figures[0];
  REQUIRE(figure.curves.size() == 1);
  CHECK(figure.curves[0].x == std::vector<double>{5.0, 10.0, 20.0});
  CHECK(figure.curves[0].y == std::vector<double>{15.0, 30.0, 60.0});
  CHECK(groups[0].figures[1].curves[0].x == std::vector<double>{15.0, 30.0, 60.0});
  CHECK_THAT(gnuplot_script(figure), contains("set logscale x"));
  runs.pop_back(), runs.pop_back();
  CHECK(group_size_figures(runs).empty());
}

TEST_CASE("the claims table is aligned and wrapped", "[experiments]") {
  const std::vector<Claim> claims = {{"short", Source::paper, Verdict::holds, "1 %"},
                                     {std::string(12, 'a') + " " + std::string(30, 'b'),
                                      Source::ours, Verdict::does_not_hold, "2"}};
  const std::string table = claims_table(claims, 60);
  std::istringstream lines(table);
  std::size_t column = 0;
  for (std::string line; std::getline(lines, line);) {
    CHECK(line.size() <= 60);
    const std::size_t at = std::min(line.find("holds"), line.find("does not hold"));
    if (at == std::string::npos) continue;
    if (column == 0) column = at;
    CHECK(at == column);
  }
  CHECK(column > 0);
}

TEST_CASE("HTML is escaped", "[experiments]") {
  CHECK(escaped("<a href=\"x\">Q&A's</a>") ==
        "&lt;a href=&quot;x&quot;&gt;Q&amp;A&#39;s&lt;/a&gt;");
  Report report;
  report.title = "a < b";
  report.answer = "<a>";
  report.claims = {{"<script>", Source::ours, Verdict::does_not_hold, "1 & 2"}};
  report.facts = {{"Command", "<b>"}};
  report.tables = {{"<t>", "<u>", {"<h>"}, {{"<d>"}}}};
  report.galleries = {{"<g>", "<v>", {{"<c>", {}, {}}}}};
  const std::string html = report_html(report, {}, "no <gnuplot>");
  for (const char* raw : {"a < b", "<script", "1 & 2", "<a>", "<b>", "<h>", "<d>", "<t>", "<u>",
                          "<g>", "<v>", "<c>", "<gnuplot>"}) {
    CAPTURE(raw);
    CHECK(html.find(raw) == std::string::npos);
  }
  CHECK(html.find("http") == std::string::npos);  // nothing is loaded from elsewhere
}

TEST_CASE("a page says first what was run", "[report]") {
  Report report;
  report.lead = "why";
  report.identity = {{"Command", "label_noise"}, {"Seeds", "1 to 3"}};
  report.facts = {{"Machine", "two cores"}};
  const std::string html = report_html(report, {}, "");
  CHECK(html.find("why") < html.find("1 to 3"));
  CHECK(html.find("1 to 3") < html.find("Claims"));
  CHECK(html.find("Claims") < html.find("two cores"));
}

TEST_CASE("a study leaves learning orders for figures", "[report][glyphs]") {
  const TrainedStudy trained;
  const std::vector<RunRecord>& runs = trained.runs;
  const std::vector<FigureGroup> order = learning_order_figures(runs);
  REQUIRE(order.size() == 2);           // noise first
  CHECK(order[0].figures.size() == 4);  // pristine and corrupt, first and for good
  CHECK(order[1].figures.size() == 2);  // nothing is corrupt
  const Curve& curve = order[1].figures[0].curves.at(0);
  CHECK(std::is_sorted(curve.x.begin(), curve.x.end()));
  CHECK(std::is_sorted(curve.y.begin(), curve.y.end()));
  CHECK(curve.x.front() == Approx(1.0 / 15));  // step 1 of 15
  CHECK(curve.y.back() >= runs[0].last().pristine.acc1);

  const Table table = difficulty_table(runs);
  REQUIRE(table.rows.size() == 4);
  for (const auto& row : table.rows) {
    for (std::size_t i = 2; i < row.size(); ++i) CHECK(std::abs(std::stod(row[i])) <= 1.0);
  }
}

TEST_CASE("a study leaves examples for a gallery, and runs that can be read back",
          "[report][glyphs]") {
  const TrainedStudy trained;
  const std::vector<RunRecord>& runs = trained.runs;
  const StudyData& data = trained.study.data;
  const Gallery gallery = difficulty_gallery(runs[0], *data.train, data.transform.statistics);
  REQUIRE(gallery.rows.size() == 10);
  for (const GalleryRow& row : gallery.rows) {
    REQUIRE(row.easiest.size() == 4);
    REQUIRE(row.hardest.size() == 4);
  }
  // The first picture of class 0 is an example of it, as drawn.
  const std::string caption = gallery.rows[0].easiest[0].caption;
  const std::int64_t index = std::stoll(caption.substr(caption.find(' ')));
  const Example example = data.train->get(index);
  CHECK(example.label == 0);
  for (std::size_t i = 0; i < example.pixels.size(); ++i) {
    REQUIRE(gallery.rows[0].easiest[0].pixels[3 * i] ==
            std::lround(255.0f * std::clamp(example.pixels[i], 0.0f, 1.0f)));
  }
  CHECK_THAT(png_uri(gallery.rows[0].easiest[0]),
             Catch::Matchers::StartsWith("data:image/png;base64,iVBORw0KGgo"));

  // A run read back from its folder says the same.
  const RunRecord again = read_run(runs[1].folder);
  CHECK(again.settings == runs[1].settings);
  CHECK(again.groups == 3);
  CHECK(again.last().test.acc1 == Approx(runs[1].last().test.acc1));
  CHECK(again.training_seconds > 0.0);
  CHECK(again.training_seconds <= again.seconds);
  CHECK_THROWS_AS(read_run(trained.folder.path), IoError);
}
