// Figures: their axes, their legends, and whether curves can be told apart.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/axes.h"
#include "cograd/experiments/report/page/report_page.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {

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
  std::string svg;
  try {
    svg = draw_svg(figure, "f7");
  } catch (const IoError& error) {
    std::printf("SKIPPED: drawing needs gnuplot: %s\n", error.what());
    return;
  }
  CHECK(svg.rfind("<svg", 0) == 0);
  CHECK_THAT(svg, contains("viewBox"));
  CHECK_THAT(svg, contains("<text>m3&#39;s</text>"));
  CHECK_THAT(svg, contains("<text>it&#39;s (%)</text>"));
  CHECK_THAT(svg, contains("<title>Title &lt;1&gt;</title>"));
  CHECK_THAT(svg, contains("<title>m3&#39;s</title>"));  // of the curve
  CHECK(svg.find("id='gp") == std::string::npos);        // ids are the figure's own
  CHECK(svg.find("'black'") == std::string::npos);
}

TEST_CASE("a figure is drawn whatever its numbers are", "[report]") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> numbers{{},           {kNan, kNan}, {0.5, kNan},
                                                 {0.5, 0.5},   {0.0, 0.0},   {kInf, -kInf},
                                                 {1e300, 0.1}, {-1.0, 2.0},  {1e-300, 1e-300}};
  std::vector<Figure> figures;
  for (const bool x_log : {false, true}) {
    for (const std::vector<double>& y : numbers) {
      for (const std::vector<double>& limits : numbers) {
        if (limits.size() != y.size()) continue;
        Figure figure{"t", "x", "y", {}, {0.0, 0.0}, x_log};
        std::vector<double> x{0.0, 1.0};
        x.resize(y.size());
        figure.curves.push_back({.label = "a", .x = x, .y = y, .low = limits, .high = limits});
        figures.push_back(std::move(figure));
      }
    }
  }
  try {
    draw_svg(Figure{"t", "x", "y", {{.label = "a", .x = {0.0}, .y = {0.0}}}}, "f");
  } catch (const IoError& error) {
    std::printf("SKIPPED: drawing needs gnuplot: %s\n", error.what());
    return;
  }
  for (const Figure& figure : figures) {
    CAPTURE(gnuplot_script(figure));
    CHECK_NOTHROW(draw_svg(figure, "f"));
  }
}

TEST_CASE("axes fit the data, within limits, from zero unless all lies far above", "[report]") {
  const auto range = [](std::vector<double> y, std::pair<double, double> limits) {
    std::vector<double> x;
    for (std::size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<double>(i));
    return y_range_of({"t", "epoch", "%", {{"m3", x, std::move(y)}}, limits});
  };
  const std::pair percent(0.0, 100.0), none(0.0, 0.0);
  CHECK(range({10.0, 96.5, 98.0}, percent) == std::pair(96.0, 98.0));  // not of epoch 0
  CHECK(range({10.0, 40.0, 98.0}, percent) == percent);
  CHECK(range({0.0, 2.0, 17.0}, percent) == std::pair(0.0, 18.0));
  CHECK(range({99.9, 100.0, 100.0}, percent) == std::pair(98.0, 100.0));
  CHECK(range({98.0}, percent).second == 98.0);  // epoch 0 alone
  CHECK(range({NAN}, percent) == percent);
  CHECK(range({}, percent) == percent);
  CHECK(range({3.0, 4.0}, none).first == 0.0);
  CHECK(range({-3.0, 4.0}, none).first < -3.0);
  const Figure band{"t",
                    "epoch",
                    "%",
                    {{.label = "m3", .x = {1.0}, .y = {90.0}, .low = {61.0}, .high = {92.0}}},
                    percent};
  CHECK(y_range_of(band) == std::pair(60.0, 95.0));
}

TEST_CASE("a figure whose curves cannot be told apart is at fault", "[report]") {
  Figure figure{"t", "epoch", "%", {{"a", {}, {}}, {"b", {}, {}}}, {}};
  CHECK(figure_fault(figure) == "'t': 'b' looks like 'a'");
  for (int Curve::*const part : {&Curve::dash, &Curve::marker}) {
    figure.curves[1].*part = 1;
    CHECK(figure_fault(figure).empty());
    figure.curves[1].*part = part == &Curve::dash ? kDashes : 2 * kMarkers;  // drawn as 0
    CHECK_FALSE(figure_fault(figure).empty());
    figure.curves[1].*part = 0;
  }
  figure.curves[1].label = "a";  // further runs of the same
  CHECK(figure_fault(figure).empty());
  figure.curves[1].label = "";
  CHECK(figure_fault(figure) == "'t' has a curve without a label");
  figure.x_label = "";
  CHECK(figure_fault(figure) == "'t' has an axis without a label");
  // As many as there are looks, all alike.
  std::vector<Curve> many(kPalette.size() * kDashes * kMarkers);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].label = std::to_string(i);
  tell_apart(many);
  CHECK(figure_fault({"t", "x", "y", many}).empty());
  CHECK(many[0].marker == 0);
  CHECK(many[1].marker == 1);
  CHECK(many[4].dash == 0);
}

TEST_CASE("no curve of a study looks like another", "[report]") {
  std::vector<RunRecord> runs;
  for (const char* aggregator : {"mean", "m3", "mom:5", "mean:3", "winsorized:1", "winsorized:1.5",
                                 "own_a", "own_b", "own_c", "own_d", "rm3", "own_e"}) {
    for (const double noise : {0.0, 0.5}) {
      for (const std::int64_t batch : {10, 30, 60, 90, 120}) {
        for (const double rate : {0.1, 0.3}) {
          runs.push_back(run_with(aggregator, batch, noise, 95.0, 80.0, 58.0));
          runs.back().settings.learning_rate = rate;
          if (rate == 0.3 && batch == 10) runs.back().failure = "diverged";
        }
      }
    }
  }
  std::erase_if(runs, [](const RunRecord& run) {  // a sweep of batch sizes is a figure of its own
    return run.settings.learning_rate == 0.3 && run.settings.batch_size != 10;
  });
  const std::vector<FigureGroup> groups = memorization_report(runs).figures;
  REQUIRE(groups.size() == 4);  // two noise levels, a frontier, group sizes
  for (const FigureGroup& group : groups) {
    for (const Figure& figure : group.figures) CHECK(figure_fault(figure).empty());
  }
  CHECK(groups[0].figures[0].curves.size() == 12 * 6);
  // Aggregators that nobody knows have colours of their own while there are some.
  const auto colours = colours_of({"own_a", "mean", "own_b", "m3", "rm3", "own_c"});
  std::set<std::string> different;
  for (const auto& entry : colours) different.insert(entry.second);
  CHECK(different.size() == 6);
  CHECK(colours.at("mean") == "#D55E00");
}

TEST_CASE("long labels go below the curves", "[report]") {
  Figure figure{"t", "epoch", "%", {{"m3", {0.0, 1.0}, {1.0, 2.0}}}, {}};
  CHECK_THAT(gnuplot_script(figure), contains("size 460,330"));
  figure.curves[0].label = "winsorized:8 b100 lr0.1";
  const std::string script = gnuplot_script(figure);
  CHECK_THAT(script, contains("size 460,350"));
  CHECK_THAT(script, contains("set rmargin 2\n"));
  figure.curves.resize(14, {"m3", {0.0, 1.0}, {1.0, 2.0}});
  CHECK_THAT(gnuplot_script(figure), contains("set rmargin 2\n"));
}

TEST_CASE("every figure of a report lies beside it as a file of its own", "[report]") {
  const TemporaryFolder folder;
  Report report;
  report.figures = {{"50 % noise", {}}};
  for (const char* title : {"Gap: training minus test", "winsorized:1 b100", "winsorized:2 b100"}) {
    report.figures[0].figures.push_back(
        {title, "epoch", "%", {{"m3", {0.0, 1.0}, {1.0, 2.0}}}, {0.0, 100.0}});
  }
  if (const std::string missing = write_report(report, folder.path); !missing.empty()) {
    std::printf("SKIPPED: drawing needs gnuplot: %s\n", missing.c_str());
    return;
  }
  for (const char* name : {"gap", "winsorized-1-b100", "winsorized-2-b100"}) {
    CAPTURE(name);
    CHECK(std::filesystem::exists(folder.path / fmt::format("50-noise-{}.svg", name)));
  }
}

}  // namespace cograd::testing
