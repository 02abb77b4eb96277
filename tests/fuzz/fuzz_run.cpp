#include <filesystem>
#include <nlohmann/json.hpp>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/contribution_file.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/record/run_config.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/record/subset_model_file.h"
#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;
using namespace cograd;

/// A folder in memory, made once.
const fs::path& scratch() {
  static const fs::path folder = [] {
    std::string name = "/dev/shm/cograd-fuzz-XXXXXX";
    return fs::path(::mkdtemp(name.data()));
  }();
  return folder;
}

}  // namespace

/// As each of the files that are read back of a run.
void cograd::fuzz::read_untrusted(const fs::path& path) {
  const fs::path copy = scratch() / "config.json";
  write_file(copy, read_file(path));
  const auto tried = [](const auto& read) {
    try {
      read();
    } catch (const Error&) {
    }
  };
  tried([&] { settings_from(read_config(scratch()), "fuzz"); });
  tried([&] { difference(read_config(scratch()), nlohmann::ordered_json{{"a", 1}}); });
  tried([&] { read_difficulty(path); });
  tried([&] { read_contributions(path); });
  tried([&] { read_subset_model(path, 9, 1); });
  for (const char* file : {"pristine.csv", "corrupt.csv", "train_sample.csv", "test.csv"}) {
    write_file(scratch() / file, read_file(path));
  }
  tried([&] { read_evaluations_so_far(scratch(), 100); });
}
