// Run directories that others have made: every value is data, and nothing outside is touched.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cograd/data/checksum.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/checksums.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/winsorization.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"
#include "cograd/experiments/train/checkpoint.h"
#include "cograd/models/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/small_study.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

StudyOptions options_in(const fs::path& folder) {
  StudyOptions options =
      small_study(folder, {.train_size = 150, .test_size = 20, .aggregators = "m3@12"});
  options.run.width = 2;
  options.run.workers = 0;
  options.run.checkpoint_every = 0.0;
  return options;
}

/// Values that no honest file has.
std::vector<Json> hostile_values() {
  return {nullptr,
          true,
          -1,
          0,
          1e300,
          -1e-300,
          18446744073709551615u,
          9223372036854775807,
          Json::array(),
          Json::array({1, 2, 3}),
          Json::object(),
          Json{{"a", Json{{"b", 1}}}},
          "",
          "m3\n!touch pwned\n",
          "`touch pwned`",
          "'; touch pwned; '",
          "m3'\nset print 'pwned'; print 1\n#",
          "<script>alert(1)</script>",
          "\"><img src=x onerror=alert(1)>",
          "\x1B]0;owned\x07\x1B[2J",
          "../../../../tmp/x",
          "%n%s",
          "=cmd|' /C calc'!A0",
          std::string(5000, 'A')};
}

/// The folder in which a test works, and a file beside what it attacks, which must stay as it is.
struct Attacked {
  TemporaryFolder scratch;
  fs::path outside = scratch.path / "outside.csv";
  fs::path before = fs::current_path();

  Attacked() {
    write_file(outside, "index,set\nprecious\n");
    fs::create_directory(scratch.path / "here");
    fs::current_path(scratch.path / "here");  // where a command would leave its file
  }
  ~Attacked() { fs::current_path(before); }
  bool unharmed() const {
    return read_file(outside) == "index,set\nprecious\n" && fs::is_empty(scratch.path / "here");
  }
};

std::string page_of(const RunRecord& record, const std::vector<Json>& facts,
                    const fs::path& folder) {
  Report report = memorization_report({record});
  report.claims = memorization_claims({record});
  for (const Json& fact : facts) {
    report.facts.emplace_back("fact", fact.is_string() ? fact.get<std::string>() : fact.dump());
  }
  fs::create_directory(folder);
  write_report(report, folder);
  return read_file(folder / "report.html");
}

fs::path finished_run_in(const fs::path& folder) {
  const RunRecord record = run_study(prepare_study(options_in(folder))).at(0);
  REQUIRE(record.finished());
  return record.folder;
}

}  // namespace

TEST_CASE("no value of a config or a summary is part of a command or a page", "[hostile][glyphs]") {
  const Attacked attacked;
  const fs::path run = finished_run_in(attacked.scratch.path / "runs");
  const RunRecord honest = read_run(run);
  int pages = 0, refused = 0, read = 0;
  const auto attack = [&](const char* file, const Json& content) {
    write_file(run / file, content.dump(2));
    write_checksums(run);  // who sends a run can compute its checksums
    try {
      const RunRecord record = read_run(run);
      ++read;
      for (const char c : record.failure + record.settings.aggregator + record.settings.model) {
        CHECK(static_cast<unsigned char>(c) >= ' ');
      }
      if (record.settings == honest.settings && record.failure == honest.failure) return;
      page_of(record, {}, attacked.scratch.path / fmt::format("page{}", pages++));
    } catch (const Error& error) {
      ++refused;
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
    CHECK(attacked.unharmed());
  };
  for (const char* file : {"config.json", "summary.json"}) {
    const Json content = Json::parse(read_file(run / file));
    for (const auto& [key, value] : content.items()) {
      for (const Json& hostile : hostile_values()) {
        Json changed = content;
        changed[key] = hostile;
        attack(file, changed);
      }
      Json without = content;
      without.erase(key);
      attack(file, without);
    }
    for (const Json& hostile : hostile_values()) attack(file, hostile);
    write_file(run / file, content.dump(2));
  }
  CHECK(refused > 300);
  CHECK(read > 300);
  CHECK(pages > 5);
  // What is only shown.
  const std::string page = page_of(honest, hostile_values(), attacked.scratch.path / "shown");
  CHECK(page.find("<script>") == std::string::npos);
  CHECK(page.find("<img src=x") == std::string::npos);
  CHECK(page.find('\x1B') == std::string::npos);
  CHECK(attacked.unharmed());
}

TEST_CASE("a checkpoint moves nothing outside of its run, whatever it says", "[hostile][glyphs]") {
  const Attacked attacked;
  const fs::path runs = attacked.scratch.path / "runs";
  const fs::path finished = finished_run_in(runs);
  const fs::path partial = finished.native() + ".partial";
  fs::rename(finished, partial);
  const Safetensors honest = read_safetensors(partial / "checkpoint.safetensors");
  const Json state = Json::parse(honest.metadata.at("training_state"));
  StudyOptions options = options_in(runs);
  options.resume = true;
  const StudyData data = prepare_study(options).data;
  int refused = 0;
  const auto attack = [&](const Json& changed) {
    Safetensors content = honest;
    content.metadata["training_state"] = changed.dump();
    content.metadata["checksum"] = checksum_of_checkpoint(content);
    fs::remove_all(runs);
    fs::create_directory(runs);
    fs::copy(attacked.scratch.path / "kept", partial, fs::copy_options::recursive);
    write_safetensors(partial / "checkpoint.safetensors", content);
    try {
      run_study(prepare_study(options, data));
    } catch (const Error& error) {
      ++refused;
      CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
    CHECK(attacked.unharmed());
  };
  fs::copy(partial, attacked.scratch.path / "kept", fs::copy_options::recursive);
  for (const auto& [key, value] : state.items()) {
    for (const Json& hostile : hostile_values()) {
      Json changed = state;
      changed[key] = hostile;
      attack(changed);
    }
  }
  const int values = refused;
  CHECK(values > 180);
  const std::string outside = attacked.outside.native();
  for (const std::string& name :
       {std::string("../../outside.csv"), outside, std::string("../outside.csv"),
        std::string("sub/../../outside.csv"), std::string(".."), std::string(""),
        std::string("config.json"), std::string("x\ny_test.csv"), std::string("/proc/self/mem")}) {
    Json changed = state;
    changed["files"][name] = {{"length", 3}, {"checksum", ""}};
    attack(changed);
  }
  for (const auto& [name, file] : state.at("files").items()) {
    Json changed = state;
    changed["files"][name]["length"] = 1 << 20;
    attack(changed);
  }
  CHECK(refused == values + 9 + static_cast<int>(state.at("files").size()));
}

TEST_CASE("links and pipes in a run that others sent lead nowhere", "[hostile][glyphs]") {
  const Attacked attacked;
  const fs::path runs = attacked.scratch.path / "runs";
  const fs::path finished = finished_run_in(runs), kept = attacked.scratch.path / "kept";
  fs::copy(finished, kept, fs::copy_options::recursive);
  const fs::path partial = finished.native() + ".partial";
  StudyOptions options = options_in(runs);
  options.resume = true;
  const StudyData data = prepare_study(options).data;
  int refused = 0, files = 0;
  for (const auto& entry : fs::directory_iterator(kept)) {
    const fs::path name = entry.path().filename();
    for (const char* kind : {"link", "hard link", "pipe", "folder"}) {
      for (const fs::path& run : {finished, partial}) {
        CAPTURE(name, kind, run);
        fs::remove_all(runs);
        fs::create_directory(runs);
        fs::copy(kept, run, fs::copy_options::recursive);
        fs::remove(run / name);
        if (kind == std::string("link")) fs::create_symlink("../../outside.csv", run / name);
        if (kind == std::string("hard link")) fs::create_hard_link(attacked.outside, run / name);
        if (kind == std::string("pipe")) REQUIRE(::mkfifo((run / name).c_str(), 0600) == 0);
        if (kind == std::string("folder")) fs::create_directory(run / name);
        ++files;
        try {
          run_study(prepare_study(options, data));
        } catch (const Error&) {
          ++refused;
        }
        CHECK(attacked.unharmed());
      }
    }
  }
  CHECK(files > 100);
  CHECK(refused > 50);
  fs::remove_all(runs);
  fs::create_directory(runs);
  fs::create_directory(attacked.scratch.path / "elsewhere");
  fs::create_symlink("../elsewhere", partial);
  CHECK_THROWS_WITH(run_study(prepare_study(options, data)), contains("is a link"));
  CHECK(fs::is_empty(attacked.scratch.path / "elsewhere"));
}

TEST_CASE("damage at any place is refused or without effect", "[hostile][resume][glyphs]") {
  const TemporaryFolder scratch;
  const fs::path runs = scratch.path / "runs";
  StudyOptions options = options_in(runs);
  options.resume = true;
  const fs::path finished = finished_run_in(runs), kept = scratch.path / "kept";
  const fs::path partial = finished.native() + ".partial";
  fs::copy(finished, kept, fs::copy_options::recursive);
  const StudyData data = prepare_study(options).data;
  const auto numbers_of = [](const fs::path& run) {
    std::string all;
    for (const char* file : {"train.csv", "pristine.csv", "corrupt.csv", "train_sample.csv",
                             "test.csv", "coherence.csv", "example_coherence.csv", "difficulty.csv",
                             "learned_examples.csv", "weights.safetensors"}) {
      all += read_file(run / file);
    }
    return all;
  };
  const std::string expected = numbers_of(kept);
  int refused = 0, same = 0;
  const auto damage = [&](const fs::path& run, const fs::path& name, const std::string& content) {
    fs::remove_all(runs);
    fs::create_directory(runs);
    fs::copy(kept, run, fs::copy_options::recursive);
    write_file(run / name, content);
    try {
      const RunRecord record = run_study(prepare_study(options, data)).at(0);
      CHECK(record.finished());
      CHECK(numbers_of(record.folder) == expected);
      ++same;
    } catch (const Error&) {
      ++refused;
    }
  };
  for (const auto& entry : fs::directory_iterator(kept)) {
    const fs::path name = entry.path().filename();
    const std::string content = read_file(entry.path());
    // Of a finished run all counts but the tensors, which nobody reads then; of one to be taken up
    // what the checkpoint vouches for.
    const bool tensors = name.extension() == ".safetensors";
    const bool vouched = name == "checkpoint.safetensors" || name == "config.json" ||
                         (name.extension() == ".csv" && name != "difficulty.csv");
    const std::size_t step = std::max<std::size_t>(64, content.size() / 24 / 64 * 64);
    for (std::size_t at = 0; at < content.size(); at += step) {
      CAPTURE(name, at);
      std::string flipped = content;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at / step % 8)));
      if (!tensors) damage(finished, name, flipped);
      if (!tensors) damage(finished, name, content.substr(0, at));
      if (vouched) damage(partial, name, flipped);
      if (vouched) damage(partial, name, content.substr(0, at));
    }
  }
  CHECK(refused > 150);
  CHECK(same > 0);
}

}  // namespace cograd::testing
