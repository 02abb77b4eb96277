// What the studies share: command line, run directories, progress, claims, figures and the page.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/claims.h"
#include "experiments/figures.h"
#include "experiments/html.h"
#include "experiments/memorization.h"
#include "experiments/options.h"
#include "experiments/point.h"
#include "experiments/presets.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/run_directory.h"
#include "tests/catch.h"

using namespace cograd;
using cograd::testing::contains;
namespace fs = std::filesystem;

namespace {

StudyOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "label_noise");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), "A study.",
                       label_noise_preset);
}

/// A folder of the test's own, removed at its end.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "cograd-test-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~TemporaryFolder() { fs::remove_all(path); }
  fs::path path;
};

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

RunRecord run_with(const std::string& aggregator, std::int64_t batch, double noise, double train,
                   double corrupt, double test) {
  RunRecord run;
  run.settings.aggregator = aggregator;
  run.settings.batch_size = batch;
  run.settings.corrupt_fraction = noise;
  EpochRecord start, end;
  start.test = {100, 2.3, 10.0, 50.0};
  end.epoch = 1;
  end.pristine = {50, 1.0, 90.0, 99.0};
  end.corrupt = {noise > 0.0 ? 45 : 0, 1.0, corrupt, 99.0};
  end.train_sample = {95, 1.0, train, 99.0};
  end.test = {100, 1.0, test, 99.0};
  run.epochs = {start, end};
  return run;
}

}  // namespace

TEST_CASE("presets set defaults and explicit flags win", "[experiments]") {
  CHECK(parse({}).dataset == "glyphs");
  CHECK(parse({"--preset", "laptop"}).run.epochs == 60);
  CHECK(parse({"--epochs", "3", "--preset", "laptop"}).run.epochs == 3);
  CHECK(parse({"--preset", "paper"}).dataset == "imagenet");
  CHECK(parse({"--preset", "paper", "--dataset", "mnist"}).dataset == "mnist");
  // A batch size given explicitly replaces those in the preset's list of aggregators.
  const StudyOptions options = parse({"--batch-size", "24"});
  CHECK(options.run.batch_size == 24);
  CHECK(options.aggregators == "mean,m3,rm3,ra3");
}

TEST_CASE("the command line refuses what it does not know", "[experiments]") {
  CHECK_THROWS_WITH(parse({"--frobnicate"}), contains("--frobnicate"));
  CHECK_THROWS_WITH(parse({"--dataset", "cats"}), contains("cats"));
  CHECK_THROWS_WITH(parse({"--epochs", "0"}), contains("--epochs"));
  CHECK_THROWS_WITH(parse({"--epochs", "many"}), contains("many"));
  CHECK_THROWS_AS(parse({"--preset", "huge"}), UsageError);
  CHECK_THAT(parse({"--help"}).help, contains("--corrupt-fraction"));
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

TEST_CASE("points hold the seeds of one setting", "[experiments]") {
  std::vector<RunRecord> runs{
      run_with("mean", 30, 0.5, 95.0, 80.0, 58.0), run_with("m3", 30, 0.5, 60.0, 30.0, 69.0),
      run_with("mean", 30, 0.5, 95.0, 84.0, 60.0), run_with("mean", 30, 0.5, 95.0, 91.0, 60.0)};
  runs[2].settings.seed = 2;
  runs[3].settings.seed = 3;
  const std::vector<Point> points = points_of(runs);
  REQUIRE(points.size() == 2);
  CHECK(points[0].seeds() == 3);
  CHECK(points[1].seeds() == 1);
  const Spread fitted = points[0].last([](const EpochRecord& e) { return e.corrupt.acc1; });
  CHECK(fitted.mean == Approx(85.0));
  CHECK(fitted.low == 80.0);
  CHECK(fitted.high == 91.0);
  CHECK(fitted.deviation == Approx(std::sqrt((25.0 + 1.0 + 36.0) / 2.0)));
  CHECK(spread_text(fitted, 3) == "85.0 ± 5.6");
  CHECK(spread_text(fitted, 1) == "85.0");
  const std::vector<Claim> claims = memorization_claims(runs);
  CHECK(claims.size() == 4);  // one row a point, not a run
  CHECK(claims[0].measured == "85.0 ± 5.6 %");
  CHECK(memorization_table(runs).rows.size() == 2);
  // The seeds' range lies as a band behind the curve, before all curves.
  const Figure figure = memorization_figures(runs).front().figures.front();
  REQUIRE(figure.curves.size() == 2);
  CHECK(figure.curves[0].high.back() == 91.0);
  CHECK(figure.curves[1].high.empty());
  const std::string script = gnuplot_script(figure);
  CHECK(script.find("filledcurves") < script.find("linespoints"));
}

TEST_CASE("winsorization: claims follow its strength", "[experiments]") {
  const auto verdicts = [](const std::vector<double>& fitted) {
    const char* names[] = {"mean", "winsorized:1", "winsorized:8"};
    std::vector<RunRecord> runs;
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      runs.push_back(run_with(names[i], 100, 0.5, 50.0 + fitted[i] / 2, fitted[i], 60.0));
    }
    std::vector<bool> result;
    for (const Claim& claim : winsorization_claims(runs)) result.push_back(claim.holds);
    return result;
  };
  // Corrupt labels fitted, gap, pristine first (90 % of the pristine by then).
  CHECK(verdicts({80.0, 60.0, 20.0}) == std::vector<bool>{true, true, false});
  CHECK(verdicts({40.0, 30.0, 20.0}) == std::vector<bool>{true, true, true});
  CHECK(verdicts({80.0, 85.0, 20.0}) == std::vector<bool>{false, false, false});
  CHECK(verdicts({40.0, 38.0, 35.0}) == std::vector<bool>{false, false, true});
  CHECK(verdicts({80.0}).empty());
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
    directory.coherence(2, 33, "fc1.weight", 0.375);
    directory.evaluation(record);
    directory.learned_examples({0, 2}, {1});
    CHECK_FALSE(fs::exists(folder.path / "m3_b30_noise50"));
    // Rows are on the disk after each evaluation, not only at the end.
    CHECK(read(directory.path("train.csv")) == "epoch,step,count,loss\n2,33,990,1.5\n");
    RunRecord finished;
    finished.epochs = {record};
    directory.finish(finished);
  }
  const fs::path path = folder.path / "m3_b30_noise50";
  CHECK_FALSE(fs::exists(path.string() + ".partial"));
  CHECK(nlohmann::json::parse(read(path / "config.json"))["seed"] == 7);
  CHECK(read(path / "train.csv") == "epoch,step,count,loss\n2,33,990,1.5\n");
  CHECK(read(path / "pristine.csv") == "epoch,count,loss,acc1,acc5\n2,10,0.5,90,100\n");
  CHECK(read(path / "corrupt.csv") == "epoch,count,loss,acc1,acc5\n");  // nothing was corrupt
  CHECK(read(path / "test.csv") == "epoch,count,loss,acc1,acc5\n2,20,0.25,12.5,50\n");
  CHECK(read(path / "coherence.csv") == "epoch,step,parameter,coherence\n2,33,fc1.weight,0.375\n");
  CHECK(read(path / "learned_examples.csv") == "index\n0\n2\n");
  CHECK(read(path / "not_learned_examples.csv") == "index\n1\n");
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

  CHECK_FALSE(finished_run(folder.path, run.settings, config));
  { RunDirectory broken(folder.path, name, {{"learning_rate", 0.7}}); }
  CHECK_FALSE(finished_run(folder.path, run.settings, config));
  {
    RunDirectory directory(folder.path, name, config);
    for (const EpochRecord& record : run.epochs) directory.evaluation(record);
    directory.finish(run);
  }
  const auto read_back =
      finished_run(folder.path, run.settings, {{"learning_rate", 0.1}, {"workers", 4}});
  REQUIRE(read_back);
  CHECK(read_back->groups == 3);
  CHECK(read_back->seconds == 12.5);
  CHECK(read_back->epochs.size() == 2);
  CHECK(read_back->epochs[0].corrupt.count == 0);
  CHECK(read_back->last().epoch == 1);
  CHECK(read_back->last().corrupt.acc1 == 30.0);
  CHECK(read_back->last().test.loss == 1.0);

  CHECK_THROWS_WITH(finished_run(folder.path, run.settings, {{"learning_rate", 0.2}}),
                    contains("learning_rate 0.1 instead of 0.2"));
  std::ofstream(folder.path / name / "test.csv") << "epoch,count,loss,acc1,acc5\n0,1,2,3\n";
  CHECK_THROWS_WITH(finished_run(folder.path, run.settings, config), contains("test.csv"));
  fs::remove(folder.path / name / "config.json");
  CHECK_THROWS_WITH(finished_run(folder.path, run.settings, config), contains("config.json"));
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
  state.seconds = 30.0;
  CHECK(progress_line(state) == " 40 % m3 b30, 50 % noise  13.3k examples/s  45 s left");
  for (const int width : {0, 5, 30, 50, 80, 120}) {
    CAPTURE(width);
    CHECK(progress_bar(state, width).size() <= static_cast<std::size_t>(width));
  }
  CHECK_THAT(progress_bar(state, 120), contains("[################------------------------]"));
  CHECK_THAT(progress_bar(state, 80), contains("45 s left"));
  state.stalled = 4.6;
  state.skipped = 100000;  // by an earlier run: not this one's speed
  CHECK(progress_line(state) ==
        " 40 % m3 b30, 50 % noise  10.0k examples/s  15 % waiting for data  1:00 left");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(3725) == "1:02:05");
  CHECK(count_text(123.4) == "123");
}

TEST_CASE("progress into a file is plain lines, one for each tenth", "[experiments]") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  {
    Progress progress(1000, file);
    progress.label("work");
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

TEST_CASE("claims compare with the mean at the same batch size and noise", "[experiments]") {
  const RunRecord mean = run_with("mean", 30, 0.5, 95.0, 92.0, 58.0);
  const RunRecord m3 = run_with("m3", 30, 0.5, 60.0, 30.0, 69.0);
  const std::vector<Claim> claims = memorization_claims({mean, m3});
  REQUIRE(claims.size() == 4);  // mean memorizes; m3: fewer, smaller gap, higher test accuracy
  for (const Claim& claim : claims) CHECK(claim.holds);
  CHECK(claims[1].measured == "30.0 % against 92.0 %");

  CHECK(memorization_claims({m3}).empty());
  CHECK(memorization_claims({run_with("mean", 10, 0.5, 95.0, 92.0, 58.0), m3}).size() == 1);
  CHECK(memorization_claims({run_with("mean", 30, 0.0, 99.0, 0.0, 98.0), m3}).empty());
}

TEST_CASE("claims fail just beyond their thresholds", "[experiments]") {
  const RunRecord mean = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
  const auto verdicts = [&](const RunRecord& run) {
    std::vector<bool> result;
    for (const Claim& claim : memorization_claims({mean, run})) result.push_back(claim.holds);
    result.erase(result.begin());  // the one about the mean alone
    return result;
  };
  CHECK(verdicts(run_with("m3", 30, 0.5, 90.0, 40.0, 63.0)) == std::vector<bool>{true, true, true});
  CHECK(verdicts(run_with("m3", 30, 0.5, 89.8, 40.1, 62.9)) ==
        std::vector<bool>{false, true, false});
  CHECK(verdicts(run_with("m3", 30, 0.5, 90.1, 40.1, 63.0)) ==
        std::vector<bool>{false, false, true});
  CHECK(verdicts(run_with("ra3", 30, 0.5, 90.0, 64.0, 58.0)) == std::vector<bool>{true});
  CHECK(verdicts(run_with("ra3", 30, 0.5, 90.0, 63.9, 58.0)) == std::vector<bool>{false});

  const RunRecord clean = run_with("mean", 30, 0.0, 99.0, 0.0, 98.0);
  CHECK(memorization_claims({clean, run_with("m3", 30, 0.0, 99.0, 0.0, 96.0)}).at(0).holds);
  CHECK_FALSE(memorization_claims({clean, run_with("m3", 30, 0.0, 99.0, 0.0, 95.9)}).at(0).holds);
}

TEST_CASE("the claims table is aligned and wrapped", "[experiments]") {
  const std::vector<Claim> claims = {
      {"short", "1 %", true}, {std::string(12, 'a') + " " + std::string(30, 'b'), "2", false}};
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
  report.claims = {{"<script>", "1 & 2", false}};
  report.facts = {{"Command", "<b>"}};
  report.numbers = {{"<h>"}, {{"<d>"}}};
  const std::string html = report_html(report, {}, "no <gnuplot>");
  for (const char* raw : {"a < b", "<script", "1 & 2", "<b>", "<h>", "<d>", "<gnuplot>"}) {
    CAPTURE(raw);
    CHECK(html.find(raw) == std::string::npos);
  }
  CHECK(html.find("http") == std::string::npos);  // nothing is loaded from elsewhere
}

TEST_CASE("labels at the ends of curves do not overlap", "[experiments]") {
  const std::vector<double> places = spread({50.0, 99.0, 98.0, 99.5, 51.0}, 7.0, 0.0, 100.0);
  std::vector<double> sorted = places;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 1; i < sorted.size(); ++i) CHECK(sorted[i] - sorted[i - 1] >= 7.0 - 1e-9);
  CHECK(sorted.back() <= 100.0);
  CHECK(places[2] < places[1]);  // the order stays
  CHECK(places[1] < places[3]);
  CHECK(spread({10.0, 90.0}, 7.0, 0.0, 100.0) == std::vector<double>{10.0, 90.0});
}

TEST_CASE("a figure is drawn as SVG that can stand in a page", "[experiments]") {
  Figure figure{"Title <1>", "epoch", "it's (%)", {}, {0.0, 100.0}};
  figure.curves.push_back({"m3's", {0.0, 1.0}, {10.0, 20.0}, "#0072B2", 0, 0});
  CHECK_THAT(gnuplot_script(figure), contains("set ylabel 'it''s (%)'"));
  std::string svg;
  try {
    svg = draw_svg(figure, "f7");
  } catch (const IoError& error) {
    std::printf("SKIPPED: drawing needs gnuplot: %s\n", error.what());
    return;
  }
  CHECK(svg.rfind("<svg", 0) == 0);
  CHECK_THAT(svg, contains("viewBox"));
  CHECK_THAT(svg, contains("m3's"));
  CHECK_THAT(svg, contains("<title>Title &lt;1&gt;</title>"));
  CHECK(svg.find("id='gp") == std::string::npos);  // ids are the figure's own
  CHECK(svg.find("'black'") == std::string::npos);
}
