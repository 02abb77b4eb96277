// What pristine and corrupt examples contribute to the steps: the numbers, their file, the figures.
#include "cograd/experiments/report/contributions.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

#include "cograd/data/glyphs.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/report/page/figure.h"
#include "cograd/experiments/study/study.h"
#include "cograd/experiments/train/contributions.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/csv.h"
#include "tests/support/example_gradient.h"
#include "tests/support/records.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

StudyOptions study_with_contributions(const fs::path& folder, const std::string& aggregators) {
  StudyOptions options = small_study(folder, {.aggregators = aggregators});
  options.run.contributions = true;
  return options;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("contributions of examples are those of gradients made one by one",
          "[contributions][glyphs]") {
  constexpr std::int64_t kBatch = 12;
  const DatasetPtr data = draw_glyphs({.size = kBatch});
  const auto model = make_model("mlp", {.width = 9, .seed = 4});
  model->to(cpu_backend());
  Batch batch;
  std::vector<float> pixels;
  std::vector<std::int64_t> labels;
  std::vector<std::vector<double>> gradients;
  for (std::int64_t i = 0; i < kBatch; ++i) {
    const Example example = data->get(i);
    pixels.insert(pixels.end(), example.pixels.begin(), example.pixels.end());
    labels.push_back(example.label);
    backward_of_example(*model, *data, i);
    std::vector<double>& gradient = gradients.emplace_back();
    for (const Parameter* p : model->parameters()) {
      for (const float g : p->gradient.to_vector<float>()) gradient.push_back(g);
    }
  }
  batch.images = Tensor::from(pixels, data->image_shape().prepended(kBatch), cpu_backend());
  batch.labels = Tensor::from(labels, {kBatch}, cpu_backend());

  std::vector<double> mean(gradients[0].size(), 0.0);
  for (const auto& g : gradients) {
    for (std::size_t c = 0; c < g.size(); ++c) mean[c] += g[c] / kBatch;
  }
  const double square = std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0);
  const std::vector<double> measured = example_contributions(*model, batch, Dtype::f32);
  REQUIRE(measured.size() == kBatch);
  for (std::size_t i = 0; i < kBatch; ++i) {
    const auto& g = gradients[i];
    const double product = std::inner_product(g.begin(), g.end(), mean.begin(), 0.0);
    CHECK(measured[i] == Approx(product / kBatch / square).epsilon(1e-5).margin(1e-7));
  }
  CHECK(sum_of(measured) == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("null worlds hold the share of exchangeable examples, not that of others",
          "[contributions]") {
  constexpr std::size_t kExamples = 1000, kBatch = 100;
  Random random(5);
  int inside = 0, integral_inside = 0;
  constexpr int kDraws = 200;
  std::vector<bool> pristine(kExamples, false);
  std::fill(pristine.begin(), pristine.begin() + 400, true);
  std::vector<std::int64_t> indices(kExamples);
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  const auto batch_of = [&](double pristine_gain) {
    shuffle(indices.begin(), indices.end(), random);
    std::vector<double> examples(kBatch);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const bool gains = pristine[static_cast<std::size_t>(indices[i])];
      examples[i] = random.uniform(0.0, 2.0) * (gains ? pristine_gain : 1.0);
    }
    const double all = sum_of(examples);
    for (double& value : examples) value /= all;
    return examples;
  };
  const auto in_band = [](const Contribution& c) {
    return c.pristine >= c.null_low && c.pristine <= c.null_high;
  };
  for (int draw = 0; draw < kDraws; ++draw) {  // who is pristine has nothing to do with the values
    Contributions contributions(pristine, static_cast<std::uint64_t>(draw));
    ContributionRow row;
    for (int step = 0; step < 3; ++step) {
      row = contributions.add(batch_of(1.0), std::span(indices).first(kBatch), 2.0);
    }
    CHECK(row.f.null_low < 0.4);
    CHECK(row.f.null_high > 0.4);
    CHECK(row.integral.null_low < 0.4 * 6);
    CHECK(row.integral.null_high > 0.4 * 6);
    CHECK(row.integral.pristine + row.corrupt_integral == Approx(6.0).epsilon(1e-12));
    inside += in_band(row.f) ? 1 : 0;
    integral_inside += in_band(row.integral) ? 1 : 0;
  }
  for (const int count : {inside, integral_inside}) {  // 90 % are expected
    CHECK(count > 0.82 * kDraws);
    CHECK(count < 0.97 * kDraws);
  }

  Contributions contributions(pristine, 1);
  const ContributionRow row =
      contributions.add(batch_of(3.0), std::span(indices).first(kBatch), 1.0);
  CHECK(row.f.pristine > row.f.null_high);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < kBatch; ++i) {
    count += pristine[static_cast<std::size_t>(indices[i])] ? 1 : 0;
  }
  CHECK(row.pristine_share == Approx(static_cast<double>(count) / kBatch));
  // With nothing corrupt all worlds are alike.
  Contributions clean(std::vector<bool>(kExamples, true), 1);
  const ContributionRow all = clean.add(batch_of(1.0), std::span(indices).first(kBatch), 1.0);
  CHECK(all.f.null_low == Approx(1.0));
  CHECK(all.corrupt_integral == Approx(0.0).margin(1e-12));
  CHECK_THROWS_AS(clean.restore({1.0, 2.0}), ValueError);
}

TEST_CASE("a study measures contributions and trains to the same bits", "[contributions][glyphs]") {
  const TemporaryFolder scratch;
  Study with = prepare_study(study_with_contributions(scratch.path / "a", "mean@20,m3@30"));
  const std::vector<RunRecord> runs = run_study(with);
  Study without = prepare_study(small_study(scratch.path / "b", {.aggregators = "mean@20,m3@30"}));
  for (const RunRecord& run : run_study(without)) {
    const fs::path other = scratch.path / "a" / run.folder.filename();
    for (const char* file : {"weights.safetensors", "train.csv", "test.csv", "difficulty.csv"}) {
      CAPTURE(run.folder, file);
      CHECK(read_file(run.folder / file) == read_file(other / file));
    }
    CHECK_FALSE(fs::exists(run.folder / "contributions.csv"));
    CHECK_FALSE(config_of(without, run.settings).contains("contributions"));
  }
  for (const auto& row : rows_of(runs[1].folder / "contributions.csv")) {
    CHECK(std::stod(row.at(2)) + std::stod(row.at(3)) == Approx(1.0).epsilon(1e-6));
  }
  double integral = 0.0;
  const std::vector<ContributionRow> rows =
      read_contributions(runs[0].folder / "contributions.csv");
  REQUIRE(rows.size() == 12);  // 6 steps an epoch
  for (const ContributionRow& row : rows) {
    CHECK(row.pristine_share > 0.2);
    CHECK(row.pristine_share < 0.9);
    integral += row.f.pristine;
    CHECK(row.integral.pristine == Approx(integral).epsilon(1e-6));
    CHECK(row.integral.pristine + row.corrupt_integral ==
          Approx(static_cast<double>((row.epoch - 1) * 6 + row.step)).epsilon(1e-6));
  }

  const std::vector<FigureGroup> groups = contribution_figures(runs);
  for (const FigureGroup& group : groups) {
    for (const Figure& figure : group.figures) CHECK(figure_fault(figure).empty());
  }
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].figures.size() == 4);
  const Figure& figure = groups[0].figures[0];
  REQUIRE(figure.curves.size() == 4);
  CHECK(figure.curves[2].x.size() == 7);  // the steps of the first epoch, then epochs
  CHECK(figure.curves[2].x[0] == Approx(1.0 / 6));
  CHECK(figure.curves[2].y[0] == Approx(rows[0].f.pristine));
  CHECK(figure.curves[0].high[0] == Approx(rows[0].f.null_high));
  CHECK(figure.curves[1].low[0] == Approx(1.0 - rows[0].f.null_high));
  CHECK(groups[0].figures[1].curves[2].y[5] == Approx(rows[5].integral.pristine / 6));
  CHECK(groups[0].figures[1].curves[0].low[5] == Approx(rows[5].integral.null_low / 6));
}

TEST_CASE("models with batch norm have no contributions of examples", "[contributions][glyphs]") {
  const TemporaryFolder scratch;
  StudyOptions options = study_with_contributions(scratch.path, "mean@20");
  options.run.model = "resnet18_cifar";
  options.run.width = 4;
  CHECK_THROWS_WITH(prepare_study(options),
                    contains("[--contributions] resnet18_cifar has batch norm or dropout"));
}

TEST_CASE("a damaged file of contributions is refused", "[contributions]") {
  const TemporaryFolder scratch;
  RunRecord run = run_with("mean", 20, 0.5, 95.0, 80.0, 58.0);
  run.folder = scratch.path;
  CHECK(contribution_figures({run}).empty());  // it has none
  const std::string row = contribution_row({.epoch = 1,
                                            .step = 2,
                                            .f = {0.75, 0.4, 0.6},
                                            .pristine_share = 0.5,
                                            .integral = {1.5, 0.8, 1.25},
                                            .corrupt_integral = 0.5});
  CHECK(row == "1,2,0.75,0.25,0.4,0.6,0.5,1.5,0.5,0.8,1.25\n");
  const std::string header = std::string(kContributionHeader) + "\n";
  write_file(scratch.path / "contributions.csv", header + row);
  CHECK(contribution_figures({run}).size() == 1);
  for (const std::string& content : {std::string(), header + "-" + row, header + row + "1,3\n"}) {
    write_file(scratch.path / "contributions.csv", content);
    CHECK_THROWS_AS(contribution_figures({run}), FormatError);
  }
}

}  // namespace cograd::testing
