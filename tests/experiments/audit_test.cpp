// Which labels are wrong: detection measures, suspects, and an audit in small.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "cograd/data/label_file.h"
#include "cograd/data/subset.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/record/suspects.h"
#include "cograd/experiments/report/detection.h"
#include "cograd/experiments/report/label_audit.h"
#include "cograd/experiments/study/audit_study.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/train/predictions.h"
#include "tests/support/catch.h"
#include "tests/support/csv.h"
#include "tests/support/labelled_set.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The last 6 of 12 examples in 3 classes.
DatasetPtr six_examples() {
  return std::make_shared<Subset>(labelled_set(12, 3, {"cat", "dog", "big, fish"}),
                                  std::vector<std::int64_t>{6, 7, 8, 9, 10, 11});
}

/// Their labels, of which that of example 10 is wrong.
AuditedLabels six_labels() {
  return {CorruptedLabels(six_examples(), {0, 1, 2, 0, 2, 2}, "wrong labels"), true, {}, {}};
}

AuditOptions small_audit(const fs::path& output) {
  AuditOptions options = audit_preset("quick", "");
  options.study.train_size = 400;
  options.study.test_size = 20;
  options.study.run.epochs = 8;
  options.study.device = "cpu";
  options.study.output_dir = output;
  options.folds = 3;
  return options;
}

AuditOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "audit");
  return parse_audit_options(static_cast<int>(arguments.size()), arguments.data(), "");
}

}  // namespace

TEST_CASE("ROC AUC is the share of pairs in the right order", "[audit]") {
  CHECK(roc_auc({1, 2, 3, 4}, {false, false, true, true}) == 1.0);
  CHECK(roc_auc({1, 2, 3, 4}, {true, true, false, false}) == 0.0);
  CHECK(roc_auc({1, 3, 2, 4}, {false, false, true, true}) == 0.75);
  // Equal scores count half: of the pairs 2-1, 2-2, 2-2, 3-1, 3-2, 3-2 two are ties.
  CHECK(roc_auc({1, 2, 2, 2, 3}, {false, false, false, true, true}) == Approx(5.0 / 6));
  CHECK(roc_auc({7, 7, 7}, {false, true, true}) == 0.5);
  CHECK(roc_auc({kInfinity, kInfinity, 1, -kInfinity}, {true, false, true, false}) == 0.625);
  CHECK(roc_auc({1, kNaN, 3, kNaN}, {false, false, true, true}) == 1.0);
  CHECK(std::isnan(roc_auc({1, 2}, {true, true})));
  CHECK(std::isnan(roc_auc({}, {})));
  CHECK_THROWS_AS(roc_auc({1}, {}), ShapeError);
}

TEST_CASE("precision is taken at the number of positives", "[audit]") {
  CHECK(precision_at_positives({1, 2, 3, 4}, {false, false, true, true}) == 1.0);
  CHECK(precision_at_positives({1, 3, 2, 4}, {false, false, true, true}) == 0.5);
  // One place is left for three equal scores, one of which is positive.
  CHECK(precision_at_positives({5, 2, 2, 2}, {true, true, false, false}) == Approx(2.0 / 3));
  CHECK(precision_at_positives({kNaN, -9, 1}, {true, true, false}) == 0.5);
  CHECK(std::isnan(precision_at_positives({1}, {false})));
  CHECK_THROWS_AS(precision_at_positives({1}, {}), ShapeError);
}

TEST_CASE("a mean over seeds has an interval by Student's t", "[audit]") {
  const Interval three = mean_interval(std::vector<double>{1, 2, 3});
  CHECK(three.estimate == 2.0);
  CHECK(three.high - 2.0 == Approx(4.30265 / std::sqrt(3.0)));
  CHECK(three.low == Approx(4.0 - three.high));
  CHECK(interval_text(three, 1) == "2.0 [-0.5, 4.5]");
  CHECK(interval_text(mean_interval(std::vector<double>{0.25})) == "0.250");
  CHECK_THROWS_AS(mean_interval(std::vector<double>{}), ValueError);
}

TEST_CASE("suspects are sorted by their mean rank over the seeds", "[audit]") {
  AuditedLabels audit = six_labels();
  const std::vector<double> same(6, 0.5), steps{1, 2, kInfinity, 4, kInfinity, 6};
  // Scores are suspicion: the negative margin, the negative probability.
  audit.seeds = {LabelScores{std::vector<double>{-5, -4, 9, -2, 10, kNaN}, same, same, steps},
                 LabelScores{std::vector<double>{-5, -4, 10, -6, 9, kNaN}, same, same,
                             std::vector<double>{3, 4, 5, kInfinity, kInfinity, 6}}};
  audit.probabilities.assign(18, 0.2);
  audit.probabilities[4 * 3 + 1] = 0.6;
  const std::vector<Suspect> suspects = suspects_of(audit);
  REQUIRE(suspects.size() == 5);  // one has no score
  // 8 and 10 share the largest mean rank; 9 was third and last, so its mean is that of 6 and 7.
  std::vector<std::int64_t> indices;
  for (const Suspect& s : suspects) indices.push_back(s.index);
  CHECK(indices == std::vector<std::int64_t>{8, 10, 7, 9, 6});
  CHECK(suspects[1].label == 2);
  CHECK(suspects[1].true_label == 1);
  CHECK(suspects[1].suggested == 1);
  CHECK(suspects[1].aum == -9.5);
  CHECK_FALSE(suspects[1].learned_since);
  CHECK(suspects[0].learned_since == 5);  // of 5 and never
  CHECK(suspects[4].probability == -0.5);

  const Table table = detection_table(audit);
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[0][0] == "aum");
  CHECK_THAT(table.rows[0][1], contains("0.8750"));  // 1 and 3 of 4
  CHECK_THAT(table.rows[0][2], contains("0.500"));
  CHECK(table.rows[1][1] == "0.5000 [0.5000, 0.5000]");
  audit.truth_known = false;
  CHECK(detection_table(audit).rows.empty());
  CHECK_FALSE(suspects_of(audit)[0].true_label);
}

TEST_CASE("suspects.csv can be read as a label file", "[audit]") {
  const TemporaryFolder folder;
  AuditedLabels audit = six_labels();
  const std::vector<double> scores{1, 2, 3, 4, 5, 6};
  audit.seeds = {LabelScores{scores, scores, scores, scores}};
  audit.probabilities.assign(18, 0.25);
  audit.probabilities[4 * 3 + 1] = 0.5;
  const std::vector<std::string> names = audit.data.class_names();
  write_suspects(folder.path / "s.csv", suspects_of(audit), names);
  const std::string text = read_file(folder.path / "s.csv");
  CHECK_THAT(text, contains("index,label,suggested,learned_since,aum,el2n,probability,rank,true_"));
  CHECK_THAT(text, contains("\n11,\"big, fish\",cat,6,-6,6,-6,1,\"big, fish\"\n"));
  const auto column = [&](const char* name) {
    return read_given_labels(folder.path / "s.csv", {name, ""}, six_examples()->whole())
        .labels_of(*six_examples());
  };
  // The labels of the file are those of the set: its true ones are checked.
  CHECK(column("label") == std::vector<std::int64_t>{0, 1, 2, 0, 2, 2});
  CHECK(column("suggested") == std::vector<std::int64_t>{0, 0, 0, 0, 1, 0});
}

TEST_CASE("folds hold out each example once", "[audit]") {
  std::multiset<std::int64_t> all;
  for (std::int64_t fold = 0; fold < 4; ++fold) {
    const std::vector<std::int64_t> places = held_out(10, fold, 4, 3);
    CHECK(places.size() == (fold < 2 ? 3u : 2u));
    CHECK(std::is_sorted(places.begin(), places.end()));
    all.insert(places.begin(), places.end());
  }
  REQUIRE(all.size() == 10);
  for (std::int64_t i = 0; i < 10; ++i) CHECK(all.count(i) == 1);
  CHECK(held_out(10, 0, 4, 3) != held_out(10, 0, 4, 4));
}

TEST_CASE("an audit finds wrong labels", "[audit][glyphs]") {
  const TemporaryFolder folder;
  AuditOptions options = small_audit(folder.path / "runs");
  options.study.corrupt_fractions = "0.3";
  options.study.seeds = 2;
  const Audit audit = prepare_audit(options);
  const AuditResults results = run_audit(audit, study_of(audit));
  CHECK(results.runs.size() == 2 + 3 * 2);
  const AuditedLabels& labels = results.labels;
  REQUIRE(labels.truth_known);
  // All seeds and folds see the labels of the first seed.
  const CorruptedLabels drawn(open_study_data(options.study).train, 0.3, options.study.run.seed);
  std::vector<bool> wrong;
  for (std::int64_t i = 0; i < drawn.size(); ++i) {
    REQUIRE(labels.data.label(i) == drawn.label(i));
    wrong.push_back(drawn.is_corrupt(i));
  }
  for (const RunRecord& run : results.runs) {
    for (const ExampleDifficulty& e : read_difficulty(run.folder / "difficulty.csv")) {
      REQUIRE(e.label == drawn.label(e.index));
    }
  }
  for (const LabelScores& scores : labels.seeds) CHECK(roc_auc(scores[0], wrong) > 0.8);
  // Each row is of a network that was not trained on the example: those of fold 2 by its runs.
  const std::vector<std::int64_t> out = held_out(400, 1, 3, options.study.run.seed);
  const auto part = std::make_shared<Subset>(audit.data.train, out);
  const std::vector<float> one = class_probabilities(results.runs[4], part, cpu_backend()),
                           two = class_probabilities(results.runs[5], part, cpu_backend());
  CHECK(results.runs[4].folder.parent_path().filename() == "fold2");
  for (std::size_t k = 0; k < out.size(); ++k) {
    double sum = 0.0;
    for (std::size_t c = 0; c < 10; ++c) {
      const double p = labels.probabilities[static_cast<std::size_t>(out[k]) * 10 + c];
      CHECK(p == Approx((one[k * 10 + c] + two[k * 10 + c]) / 2).margin(1e-6));
      sum += p;
    }
    CHECK(sum == Approx(1.0));
  }
  const std::vector<std::string> learned =
      rows_of(results.runs[4].folder / "learned_examples.csv").at(0);
  CHECK_FALSE(std::binary_search(out.begin(), out.end(), std::stoll(learned[0])));

  const std::vector<Suspect> suspects = suspects_of(labels);
  const Gallery gallery =
      suspects_gallery(suspects, *audit.data.train, audit.data.transform.statistics);
  REQUIRE(gallery.rows.size() == 10);
  CHECK(gallery.rows[0].easiest.size() == 4);
  CHECK(suspects_table(suspects, *audit.data.train).rows.size() == 30);

  // It resumes with the same labels, and refuses others.
  AuditOptions resumed = options;
  resumed.study.resume = true;
  const Audit again = prepare_audit(resumed);
  CHECK(run_audit(again, study_of(again)).labels.probabilities == labels.probabilities);
  CHECK_THROWS_WITH(study_of(audit), contains("give --resume"));
}

TEST_CASE("an audit of labels as they are knows no truth", "[audit][glyphs]") {
  const TemporaryFolder folder;
  AuditOptions options = small_audit(folder.path / "runs");
  options.study.run.epochs = 1;
  options.folds = 0;
  const Audit audit = prepare_audit(options);
  const AuditResults results = run_audit(audit, study_of(audit));
  CHECK_FALSE(results.labels.truth_known);
  CHECK(results.labels.probabilities.empty());
  const std::vector<Suspect> suspects = suspects_of(results.labels);
  REQUIRE(suspects.size() == 400);
  CHECK_FALSE(suspects[0].suggested);
  CHECK(std::isnan(suspects[0].probability));
  CHECK(suspects[0].aum <= suspects[1].aum);
  write_suspects(folder.path / "s.csv", suspects, {});
  CHECK_THAT(read_file(folder.path / "s.csv"),
             contains("index,label,learned_since,aum,el2n,probability,rank\n"));
}

TEST_CASE("an audit is of one setting, with folds that leave enough to train on", "[audit]") {
  CHECK(parse({"--folds", "0"}).folds == 0);
  CHECK(parse({"--seeds", "3"}).study.seeds == 3);
  CHECK(parse({}).study.aggregators == "m3@30");
  CHECK_THROWS_WITH(parse({"--aggregator", "m3,mean"}), contains("name 2 settings: expected one"));
  CHECK_THROWS_WITH(parse({"--corrupt-fraction", "0,0.5", "--seeds", "2"}), contains("2 settings"));
  CHECK_THROWS_WITH(parse({"--folds", "1"}), contains("--folds 1"));
  CHECK_THROWS_AS(parse({"--folds", "-1"}), UsageError);
}

TEST_CASE("folds of too few examples are refused before training", "[audit][glyphs]") {
  AuditOptions options = small_audit("/nowhere");
  options.study.train_size = 40;
  options.folds = 3;
  CHECK_THROWS_WITH(prepare_audit(options), contains("3 folds of 40 examples leave 26"));
  options.study.aggregators = "mean@1";
  options.folds = 41;
  CHECK_THROWS_WITH(prepare_audit(options), contains("41 folds of 40 examples"));
}

}  // namespace cograd::testing
