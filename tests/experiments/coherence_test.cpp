// Gradient statistics of a run: of chosen examples, in its files, and in the figures of a report.
#include "cograd/experiments/report/coherence.h"

#include <cmath>

#include "cograd/data/glyphs.h"
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/experiments/record/coherence_files.h"
#include "cograd/experiments/study/study.h"
#include "cograd/experiments/train/example_coherence.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/csv.h"
#include "tests/support/example_gradient.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/trained_study.h"

namespace cograd::testing {
namespace {

/// The gradient of one example's loss, all parameters joined.
std::vector<double> gradient_of(Module& model, const Dataset& data, std::int64_t index) {
  backward_of_example(model, data, index);
  std::vector<double> all;
  for (const Parameter* parameter : model.parameters()) {
    for (const float g : parameter->gradient.to_vector<float>()) all.push_back(g);
  }
  return all;
}

/// A record of one run of three epochs whose folder has this file.
RunRecord run_in(const std::filesystem::path& folder, const std::string& content,
                 std::uint64_t seed = 0) {
  std::filesystem::create_directories(folder);
  write_file(folder / "example_coherence.csv", content);
  RunRecord run = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
  run.settings.seed = seed;
  run.folder = folder;
  return run;
}

}  // namespace

TEST_CASE("coherence of examples is that of gradients made one by one", "[coherence][glyphs]") {
  const DatasetPtr data = draw_glyphs({.size = 130});
  const auto model = make_model("mlp", {.width = 9, .seed = 4});
  model->to(cpu_backend());
  model->train();

  // The same example everywhere: all agree.
  for (const ObservedGradient& same :
       ExampleCoherence(data, std::vector<std::int64_t>(64, 3), 1, cpu_backend())
           .measure(*model, Dtype::f32)) {
    CAPTURE(same.name);
    CHECK(same.norms.coherence() == Approx(1.0).epsilon(1e-4));
    CHECK(same.mean().alpha() == Approx(1.0).epsilon(1e-3));
  }
  CHECK(model->training());

  // Two batches, and two examples left over. Which examples share a group is the seed's business,
  // so it is drawn here as there.
  std::vector<std::int64_t> examples(130);
  for (std::size_t i = 0; i < examples.size(); ++i) examples[i] = static_cast<std::int64_t>(i);
  const auto measured =
      ExampleCoherence(data, examples, 7, cpu_backend()).measure(*model, Dtype::f32);
  Random random(7, 0xC0);
  shuffle(examples.begin(), examples.end(), random);
  std::vector<std::vector<double>> sums;  // of each group of eight
  for (std::size_t i = 0; i < 128; ++i) {
    const std::vector<double> g = gradient_of(*model, *data, examples[i]);
    if (i % 8 == 0) sums.emplace_back(g.size(), 0.0);
    for (std::size_t c = 0; c < g.size(); ++c) sums.back()[c] += g[c] / 8;
  }
  const std::vector<Parameter*> parameters = model->parameters();
  REQUIRE(measured.size() == parameters.size() + 1);
  std::size_t begin = 0;
  for (std::size_t p = 0; p < measured.size(); ++p) {
    CAPTURE(measured[p].name);
    const bool total = p == parameters.size();
    if (total) begin = 0;
    const std::size_t end =
        total ? sums[0].size() : begin + static_cast<std::size_t>(parameters[p]->value.numel());
    const auto product = [&](std::size_t i, std::size_t j) {
      double sum = 0.0;
      for (std::size_t c = begin; c < end; ++c) sum += sums[i][c] * sums[j][c];
      return sum;
    };
    // |G|^2 is the mean product of different groups of a batch.
    double different = 0.0, all = 0.0, own = 0.0;
    for (std::size_t i = 0; i < 16; ++i) {
      own += product(i, i) / 16;
      for (std::size_t j = i / 8 * 8; j < i / 8 * 8 + 8; ++j) {
        all += product(i, j) / 128;
        if (i != j) different += product(i, j) / 112;
      }
    }
    begin = end;
    CHECK(measured[p].norms.coherence() == Approx(all / own).epsilon(1e-4));
    const double alpha = different / (different + 8 * (own - different));
    CHECK(measured[p].mean().alpha() == Approx(alpha).epsilon(1e-3).margin(1e-5));
    CHECK(measured[p].alpha().low < measured[p].alpha().high);
  }
  CHECK(measured.back().name == "total");
  CHECK(ExampleCoherence(data, {1, 2, 3}, 1, cpu_backend()).empty());
}

TEST_CASE("a study leaves gradient statistics in its files and figures", "[coherence][glyphs]") {
  const TrainedStudy trained;
  for (const RunRecord& run : trained.runs) {
    int totals = 0;
    for (const auto& row : rows_of(run.folder / "example_coherence.csv")) {
      REQUIRE(row.size() == 11);
      const double c = std::stod(row[3]), u = std::stod(row[4]), v = std::stod(row[5]);
      const double alpha = std::stod(row[6]);
      CHECK(c > 1.0 / 8 / 8);
      CHECK(c <= 1.0);
      CHECK(v > 0.0);
      CHECK(alpha == Approx(u / (u + v)).epsilon(1e-4).margin(1e-5));
      // Of group means (K = b = 8), by the formula.
      CHECK(c == Approx((alpha + (1 - alpha) / 64) / (alpha + (1 - alpha) / 8)).epsilon(1e-3));
      CHECK(std::stod(row[9]) == Approx(1 + 63 * alpha).epsilon(1e-3));
      CHECK(std::stod(row[10]) == Approx(v / u).epsilon(1e-3));
      totals += row[2] == "total";
    }
    CHECK(totals == 4 * (run.settings.corrupt_fraction > 0.0 ? 2 : 1));
  }
  const std::filesystem::path m3 = trained.runs.back().folder;
  REQUIRE(trained.runs.back().settings.aggregator == "m3");
  for (const auto& row : rows_of(m3 / "coherence.csv")) {
    REQUIRE(row.size() == 9);
    const double c = std::stod(row[3]), alpha = std::stod(row[6]);  // K = 3, b = 10
    CHECK(c == Approx((alpha + (1 - alpha) / 30) / (alpha + (1 - alpha) / 10)).epsilon(1e-3));
    CHECK(std::stod(row[7]) == Approx(1 + 29 * alpha).epsilon(1e-3));
  }
  CHECK(rows_of(m3 / "coherence.csv").back()[2] == "total");

  const std::vector<FigureGroup> groups = coherence_figures(trained.runs);
  REQUIRE(groups.size() == 2);
  CHECK_THAT(groups[0].text, contains("blue"));
  CHECK_THAT(groups[0].text, contains("orange"));
  REQUIRE(groups[0].figures.size() == 4);  // two settings
  const Figure &network = groups[0].figures[0], &layers = groups[0].figures[1];
  REQUIRE(network.curves.size() == 3);
  CHECK(network.curves[0].label == "pristine");
  CHECK(network.curves[1].label == "corrupt");
  CHECK(network.curves[0].x == std::vector<double>{0.0, 1.0, 2.0, 3.0});
  CHECK(network.curves[2].reference);
  CHECK(network.curves[2].y == std::vector<double>{1.0, 1.0});
  CHECK(groups[1].figures[0].curves.size() == 2);  // nothing is corrupt
  REQUIRE(layers.curves.size() == 7);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    const Curve &pristine = layers.curves[layer], &corrupt = layers.curves[3 + layer];
    CHECK(corrupt.colour != pristine.colour);
    CHECK(corrupt.marker == hollow(pristine.marker));
    CHECK(corrupt.dash == pristine.dash);
    CHECK_THAT(corrupt.label, contains("corrupt"));
  }
  const std::string script = gnuplot_script(network);
  CHECK_THAT(script, contains("with lines dt solid lw 1 lc rgb '#888888'"));
}

TEST_CASE("a figure of coherence shows the file's numbers with their interval", "[coherence]") {
  const TemporaryFolder folder;
  const std::string header = std::string(kExampleCoherenceHeader) + "\n";
  const GradientStatistics first{0.25, 0.75}, second{-0.01, 1.01};
  const auto rows = [&](const GradientStatistics& s, double half) {
    const double alpha = s.alpha();
    const Interval interval{alpha, alpha - half, alpha + half};
    return example_coherence_row(0, "pristine", {"total", 0.5, s}, interval, 64);
  };
  std::vector<RunRecord> runs{run_in(folder.path / "a", header + rows(first, 0.125))};
  const Curve one = coherence_figures(runs).at(0).figures.at(0).curves.at(0);
  CHECK(one.y[0] == Approx(1 + 63 * 0.25));
  CHECK(one.low[0] == Approx(1 + 63 * 0.125));
  CHECK(one.high[0] == Approx(1 + 63 * 0.375));
  // Two seeds: their mean and range.
  runs.push_back(run_in(folder.path / "b", header + rows({0.5, 0.5}, 0.125), 1));
  const Curve two = coherence_figures(runs).at(0).figures.at(0).curves.at(0);
  CHECK(two.y[0] == Approx(1 + 63 * 0.375));
  CHECK(two.low[0] == Approx(1 + 63 * 0.25));
  CHECK(two.high[0] == Approx(1 + 63 * 0.5));
  // An estimate below orthogonality is shown, an unknown one left out.
  const std::string negative = example_coherence_row(0, "corrupt", {"total", 0.1, second},
                                                     alpha_of(std::vector{second}), 64);
  CHECK(negative == "0,corrupt,total,0.1,-0.01,1.01,-0.01,,,0.37,-101\n");
  const RunRecord below = run_in(folder.path / "c", header + negative);
  const Curve low = coherence_figures({below}).at(0).figures.at(0).curves.at(0);
  CHECK(low.y[0] == Approx(0.37));
  CHECK(low.low.empty());  // one batch has no interval
  const RunRecord none =
      run_in(folder.path / "d",
             header + example_coherence_row(0, "corrupt", {"total", 0.0, {}}, {NAN, NAN, NAN}, 64));
  CHECK(coherence_figures({none}).at(0).figures.empty());
}

TEST_CASE("runs that measured the coherence of group means alone are converted", "[coherence]") {
  const TemporaryFolder folder;
  // The review's case: alpha 0.047 in groups of eight shows 0.3726.
  const RunRecord run = run_in(folder.path,
                               "epoch,kind,parameter,coherence\n0,pristine,fc1.weight,0.3726\n"
                               "0,corrupt,fc1.weight,0.125\n1,pristine,fc1.weight,1\n");
  const auto groups = coherence_figures({run});
  REQUIRE(groups.at(0).figures.size() == 1);  // none of the whole network
  const std::vector<Curve>& curves = groups[0].figures[0].curves;
  CHECK(curves[0].label == "fc1 pristine");
  CHECK(curves[0].y[0] == Approx(1 + 63 * 0.047).epsilon(0.001));
  CHECK(curves[0].y[1] == Approx(64.0));
  CHECK(curves[1].y[0] == Approx(1.0).margin(1e-9));
  // Damage ends in a line that names the file.
  for (const char* content :
       {"", "epoch,kind\n", "epoch,kind,parameter,coherence\n0,pristine,fc1.weight\n",
        "epoch,kind,parameter,coherence\n0,pristine,fc1.weight,much\n",
        "epoch,kind,parameter,coherence,alpha\n"}) {
    CAPTURE(content);
    CHECK_THROWS_WITH(coherence_figures({run_in(folder.path, content)}),
                      contains("example_coherence.csv is damaged: line"));
  }
}

}  // namespace cograd::testing
