// What goes wrong with one image or one run, and what must not go wrong with the others.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cograd/data/index_file.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kPerClass = 12;

/// Two classes of small photographs, told apart by their brightness.
void make_images(const fs::path& root) {
  for (const char* split : {"train", "val"}) {
    for (int c = 0; c < 2; ++c) {
      const fs::path folder = root / split / (c == 0 ? "dark" : "light");
      fs::create_directories(folder);
      for (int i = 0; i < kPerClass; ++i) {
        const auto paint = [&](int y, int x) {
          const auto v = static_cast<std::uint8_t>(40 + 150 * c + (x * y + 7 * i) % 31);
          return std::vector<std::uint8_t>{v, v, v};
        };
        const auto bytes = make_jpeg({.width = 16, .height = 16}, paint);
        write_file(folder / fmt::format("{:02}.jpg", i),
                   {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
    }
  }
}

/// Puts stray bytes between two markers: the pixels stay intact.
void make_odd(const fs::path& file) {
  const std::string content = read_file(file);
  const std::vector<std::uint8_t> bytes(content.begin(), content.end());
  write_bytes(file, inserted(bytes, marker_at(bytes, 0xDB), {0, 1, 2}));
}

/// Writes over an image before the study opens the folder.
void damage(const fs::path& root, const std::string& file) { write_file(root / file, ""); }

StudyOptions study_of_images(const fs::path& root, const std::string& broken_images) {
  StudyOptions options = label_noise_preset("quick", "image-folder");
  options.data = (root / "data").string();
  options.image_size = 16;
  options.train_size = options.test_size = 0;
  options.broken_images = broken_images;
  options.aggregators = "mean@6,m3@6";
  options.corrupt_fractions = "0";
  options.learning_rates = "0.02";
  options.run.epochs = 3;
  options.seeds = 1;
  options.run.width = 8;
  options.device = "cpu";
  options.output_dir = (root / "runs").string();
  return options;
}

}  // namespace

TEST_CASE("an image that cannot be read is absent everywhere", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  damage(folder.path / "data", "train/dark/03.jpg");   // example 3
  damage(folder.path / "data", "train/light/05.jpg");  // example 17
  damage(folder.path / "data", "val/light/00.jpg");
  const std::vector<RunRecord> records =
      run_study(prepare_study(study_of_images(folder.path, "skip")));
  REQUIRE(records.size() == 2);
  for (const RunRecord& record : records) {
    CHECK(record.finished());
    CHECK(record.skipped_images == 3);
    CHECK(record.last().train_sample.count == 22);
    CHECK(record.last().test.count == 23);
    std::set<std::int64_t> indices;
    for (const ExampleDifficulty& e : read_difficulty(record.folder / "difficulty.csv")) {
      indices.insert(e.index);
    }
    CHECK(indices.size() == 22);
    CHECK(indices.count(3) + indices.count(17) == 0);
    CHECK(read_run(record.folder).skipped_images == 3);
  }
}

TEST_CASE("an odd image file is told once, though every run and epoch reads it", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  const std::vector<std::string> odd{"train/dark/03.jpg", "train/light/05.jpg", "val/light/00.jpg"};
  for (const std::string& file : odd) make_odd(folder.path / "data" / file);
  damage(folder.path / "data", "train/dark/07.jpg");
  StudyOptions options = study_of_images(folder.path, "skip");
  options.run.workers = 3;
  for (const bool augment : {false, true}) {
    CAPTURE(augment);
    options.augment = augment;
    options.output_dir = (folder.path / fmt::format("runs{}", augment)).string();
    const Study study = prepare_study(options);
    REQUIRE(study.runs.size() == 2);
    const fs::path log = folder.path / "log";
    std::FILE* out = std::fopen(log.c_str(), "w");
    REQUIRE(out != nullptr);
    ProgressDisplay display({{"all", 1000}}, out);
    for (const RunSettings& run : study.runs) {
      RunDirectory directory(options.output_dir, directory_name_of(run), config_of(study, run));
      RunProgress progress(display, 0, "all");
      CHECK(train_run(run, study.data, *study.backend, directory, progress).finished());
    }
    std::fclose(out);
    const std::string told = read_file(log);
    const auto count = [&](const std::string& text) {
      std::size_t times = 0;
      for (std::size_t at = 0; (at = told.find(text, at)) != std::string::npos; ++at) ++times;
      return times;
    };
    CAPTURE(told);
    CHECK(count("warning: ") == odd.size());
    for (const std::string& file : odd) CHECK(count(file) == 1);
    CHECK(count("skipped: ") == 1);
  }
}

TEST_CASE("steps without enough images are left out", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  for (int i = 0; i < kPerClass; ++i) {  // all but one of the dark, all of the light but four
    if (i > 0) damage(folder.path / "data", fmt::format("train/dark/{:02}.jpg", i));
    if (i > 3) damage(folder.path / "data", fmt::format("train/light/{:02}.jpg", i));
  }
  const std::vector<RunRecord> records =
      run_study(prepare_study(study_of_images(folder.path, "skip")));
  for (const RunRecord& record : records) {
    CHECK(record.finished());
    CHECK(record.skipped_images == 19);
    CHECK(record.last().train_sample.count == 5);
  }
}

TEST_CASE("a run that meets broken data is a row of the study", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  damage(folder.path / "data", "train/dark/03.jpg");
  StudyOptions options = study_of_images(folder.path, "fail");
  const auto failures = [&] {
    std::vector<RunRecord> records = run_study(prepare_study(options));
    REQUIRE(records.size() == 2);
    for (const RunRecord& record : records) CHECK(record.folder.extension() == kFailed);
    return records;
  };
  for (const RunRecord& record : failures()) {
    CHECK_THAT(record.failure, contains("03.jpg") && contains("--broken-images skip"));
    CHECK(record.epochs.empty());
  }
  options.resume = true;
  const Study again = prepare_study(options);
  CHECK(again.over[0].has_value());
  CHECK_THROWS_WITH(check_all_finished(run_study(again)), contains("2 of 2 runs failed"));
}

TEST_CASE("a test set of broken images is a failure, not a number", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  for (const char* name : {"dark", "light"}) {
    for (int i = 0; i < kPerClass; ++i) {
      damage(folder.path / "data", fmt::format("val/{}/{:02}.jpg", name, i));
    }
  }
  for (const RunRecord& record : run_study(prepare_study(study_of_images(folder.path, "skip")))) {
    CHECK_THAT(record.failure, contains("no image of image-folder test can be read"));
  }
}

TEST_CASE("classes with names of any bytes train, report and predict", "[isolation]") {
  const TemporaryFolder folder;
  make_images(folder.path / "data");
  for (const char* split : {"train", "val"}) {
    fs::rename(folder.path / "data" / split / "dark", folder.path / "data" / split / "c\xE4t");
    fs::rename(folder.path / "data" / split / "light",
               folder.path / "data" / split / "<script>\x1B[31m\n");
  }
  const StudyOptions options = study_of_images(folder.path, "fail");
  const Study study = prepare_study(options);
  const std::vector<RunRecord> records = run_study(study);
  REQUIRE(records[0].finished());
  const Safetensors weights = read_safetensors(records[0].folder / "weights.safetensors");
  const ModelCard card = parse_card(weights.metadata, "weights");
  CHECK(card.class_names == std::vector<std::string>{"<script>\\x1b[31m\\x0a", "c\\xe4t"});
  Report report = memorization_report(records);
  report.galleries.push_back(
      difficulty_gallery(records[0], *study.data.train, study.data.transform.statistics));
  REQUIRE(report.galleries[0].rows.size() == 2);
  write_report(report, options.output_dir);
  const std::string page = read_file(options.output_dir + "/report.html");
  CHECK(page.find("c\\xe4t") != std::string::npos);
  CHECK(page.find("<script>") == std::string::npos);
  CHECK(page.find('\x1B') == std::string::npos);
}

}  // namespace cograd::testing
