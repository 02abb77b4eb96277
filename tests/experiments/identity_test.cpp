// Numbers belong to the data that are named beside them: what tells data sets apart, and who asks.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cograd/data/data.h"
#include "cograd/data/data_identity.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

std::string big_endian(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

/// MNIST in small: 4 x 4 pixels, labels in no order. Sets of one size and different `salt` differ
/// in their pixels alone.
void make_mnist(const fs::path& folder, int salt = 0, int label_salt = 0) {
  fs::create_directories(folder);
  for (const auto& [prefix, n] : {std::pair("train", 60u), {"t10k", 20u}}) {
    std::string images = big_endian(0x803) + big_endian(n) + big_endian(4) + big_endian(4);
    std::string labels = big_endian(0x801) + big_endian(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      labels += static_cast<char>((7 * i + i / 10 + static_cast<std::uint32_t>(label_salt)) % 10);
      for (std::uint32_t p = 0; p < 16; ++p) {
        images += static_cast<char>(37 * i + 11 * p + static_cast<std::uint32_t>(salt));
      }
    }
    write_file(folder / (std::string(prefix) + "-images-idx3-ubyte"), images);
    write_file(folder / (std::string(prefix) + "-labels-idx1-ubyte"), labels);
  }
}

StudyOptions study_on(const fs::path& data, const fs::path& output) {
  StudyOptions options = label_noise_preset("quick", "mnist");
  options.seeds = 1;
  options.data = data.string();
  options.train_size = options.test_size = 0;
  options.aggregators = "mean@5";
  options.corrupt_fractions = "0";
  options.run.epochs = 1;
  options.run.width = 8;
  options.device = "cpu";
  options.output_dir = output.string();
  return options;
}

}  // namespace

TEST_CASE("sets are told apart by all that is known of them", "[identity][glyphs]") {
  const TemporaryFolder folder;
  make_mnist(folder.path / "a");
  make_mnist(folder.path / "same");
  make_mnist(folder.path / "pixels", 1);
  make_mnist(folder.path / "labels", 0, 1);
  const auto identity = [&](const char* name, Split split = Split::train) {
    return identity_of(*open_mnist(folder.path / name, split, "mnist"));
  };
  CHECK(identity("a") == identity("same"));
  CHECK(identity("a").word() == identity("same").word());
  CHECK_THAT(identity("a").word(), contains("mnist-train/60/"));
  for (const char* other : {"pixels", "labels"})
    CHECK(identity("a").word() != identity(other).word());
  CHECK(identity("a").word() != identity("a", Split::test).word());
  // Which examples are chosen is no matter of the set, but of its fingerprint.
  const DatasetPtr all = open_mnist(folder.path / "a", Split::train, "mnist");
  const auto some = [&](std::vector<std::int64_t> indices) {
    return std::make_shared<Subset>(all, std::move(indices));
  };
  CHECK(identity_of(some({1, 2})->whole()) == identity_of(*all));
  CHECK(some({1, 2})->fingerprint() != some({1, 3})->fingerprint());
  CHECK(some({1, 2})->fingerprint() != some({2, 1})->fingerprint());
  CHECK(CorruptedLabels(all, 1.0, 1).fingerprint() != all->fingerprint());
  CHECK(draw_glyphs({.size = 20, .seed = 1})->fingerprint() !=
        draw_glyphs({.size = 20, .seed = 2})->fingerprint());
}

TEST_CASE("indices count in the whole set, however it was cut", "[identity]") {
  const TemporaryFolder folder;
  make_mnist(folder.path / "data");
  StudyOptions options = study_on(folder.path / "data", folder.path / "runs");
  options.classes = 2;
  options.train_size = 11;
  const Study study = prepare_study(options);
  const Dataset& train = *study.data.train;
  REQUIRE(train.size() == 11);
  const Dataset& whole = train.whole();
  REQUIRE(whole.size() == 60);
  for (std::int64_t i = 0; i < train.size(); ++i) {
    CHECK(train.label(i) == whole.label(train.whole_index(i)));
    CHECK(train.get(i).pixels == whole.get(train.whole_index(i)).pixels);
  }
  const RunRecord run = run_study(study).at(0);
  std::set<std::int64_t> listed;
  for (const char* file : {"learned_examples.csv", "not_learned_examples.csv"}) {
    const IndexFile content = read_index_file(run.folder / file);
    if (!content.indices.empty()) CHECK(content.set == identity_of(whole).word());
    for (const std::int64_t index : content.indices) {
      listed.insert(index);
      CHECK(whole.label(index) < 2);
    }
  }
  CHECK(listed.size() == 11);
  for (const ExampleDifficulty& e : read_difficulty(run.folder / "difficulty.csv")) {
    CHECK(listed.count(e.index) == 1);
    CHECK(whole.label(e.index) == e.true_label);
  }
}

TEST_CASE("an index file is read as the set that it names, or refused", "[identity]") {
  const TemporaryFolder folder;
  make_mnist(folder.path / "data");
  make_mnist(folder.path / "other", 5);
  const fs::path file = folder.path / "some.csv";
  StudyOptions options = study_on(folder.path / "data", folder.path / "runs");
  const DatasetPtr all = open_study_data(options).train;
  write_index_file(file, {{50, 7, 31}, identity_of(*all).word()});
  options.train_indices = file.string();
  const DatasetPtr some = open_study_data(options).train;
  REQUIRE(some->size() == 3);
  CHECK(some->whole_index(0) == 50);
  CHECK(some->label(1) == all->label(7));
  options.data = (folder.path / "other").string();
  CHECK_THROWS_WITH(open_study_data(options),
                    contains("some.csv counts in mnist-train/60/") && contains("but the data are"));
  write_file(file, "index\n50\n7\n");  // written by hand: it does not say
  CHECK(open_study_data(options).train->size() == 2);
  write_file(file, "index\n60\n");
  CHECK_THROWS_WITH(open_study_data(options), contains("names example 60: mnist train has 60"));
}

TEST_CASE("a study is not resumed on other data, finished or not", "[identity]") {
  const TemporaryFolder folder;
  const fs::path data = folder.path / "data", output = folder.path / "runs";
  make_mnist(data);
  StudyOptions options = study_on(data, output);
  const auto refused = [&](const std::string& complaint) {
    CHECK_THROWS_WITH(prepare_study(options), contains(complaint) && contains("instead of"));
  };
  run_study(prepare_study(options));
  options.resume = true;
  CHECK_NOTHROW(prepare_study(options));
  make_mnist(data, 3);  // as many others
  refused("data: train: contents");
  make_mnist(data);
  options.train_size = 40;
  refused("data: train: used_examples 60");
  options.train_size = 0;
  options.classes = 9;
  refused("holds a run with");
  options.classes = 0;

  // What is half done knows its data as well; of an index file the content counts.
  const fs::path file = folder.path / "some.csv";
  write_index_file(file, {{1, 2, 3, 4, 5}, ""});
  options.train_indices = file.string();
  options.output_dir = (folder.path / "half").string();
  {
    const Study study = prepare_study(options);
    RunDirectory begun(options.output_dir, directory_name_of(study.runs[0]),
                       config_of(study, study.runs[0]));
    write_file(begun.checkpoint(), "a checkpoint, as far as its name goes");
  }
  write_index_file(file, {{1, 2, 3, 4, 6}, ""});
  CHECK_THROWS_WITH(run_study(prepare_study(options)),
                    contains("data: train: used ") && contains("instead of"));
}

TEST_CASE("what is taken for CIFAR-10 is called by its name", "[identity]") {
  const TemporaryFolder folder;
  StudyOptions options;
  options.dataset = "cifar10";
  options.data = folder.path.string();
  const auto refused = [&](const char* file, const std::string& complaint) {
    write_file(folder.path / file, "x");
    CHECK_THROWS_WITH(open_study_data(options),
                      contains(complaint) && contains("expected the binary version"));
    fs::remove(folder.path / file);
  };
  CHECK_THROWS_WITH(open_study_data(options), contains("holds no CIFAR-10"));
  refused("data_batch_1", "holds the version for Python");
  refused("train.bin", "holds CIFAR-100");
  refused("meta", "holds CIFAR-100");
}

TEST_CASE("what is not as one would expect of the data is said", "[identity][glyphs]") {
  const TemporaryFolder folder;
  make_mnist(folder.path / "data");
  StudyOptions options = study_on(folder.path / "data", folder.path / "runs");
  options.train_size = 100000;
  options.classes = 20;
  const std::vector<std::string> notes = open_study_data(options).notes;
  REQUIRE(notes.size() == 5);
  CHECK(notes[0] == "mnist train has 60 examples, the published set 60000");
  CHECK(notes[1] == "--classes 20: mnist train has 10");
  CHECK(notes[2] == "--train-size 100000: there are 60");
  CHECK(notes[4] == "--classes 20: mnist test has 10");
  options.dataset = "glyphs";
  options.data.clear();
  options.train_size = 50;
  options.classes = 0;
  CHECK(open_study_data(options).notes.empty());
}

TEST_CASE("test images of another size are refused before training", "[identity]") {
  const TemporaryFolder folder;
  make_mnist(folder.path / "data");
  const std::string pixels(20 * 25, '\7');
  write_file(folder.path / "data/t10k-images-idx3-ubyte",
             big_endian(0x803) + big_endian(20) + big_endian(5) + big_endian(5) + pixels);
  CHECK_THROWS_WITH(prepare_study(study_on(folder.path / "data", folder.path / "runs")),
                    contains("the images of mnist train are [1, 4, 4] and those of mnist test "
                             "[1, 5, 5]: expected one size"));
  CHECK_FALSE(fs::exists(folder.path / "runs"));
}

}  // namespace cograd::testing
