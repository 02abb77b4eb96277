// One concept has one file name in every backend: engine/reference, engine/cpu and engine/cuda.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kConcepts{"conv2d",        "batch_norm",  "linear",
                                      "pool",          "elementwise", "concat",
                                      "cross_entropy", "aggregation", "update"};
/// What a backend has no file for: it inherits the reference's kernels.
const std::map<std::string, std::set<std::string>> kInherited{
    {"reference", {}}, {"cpu", {"cross_entropy"}}, {"cuda", {}}};
/// The class of a folder's kernels.
const std::map<std::string, std::string> kClasses{
    {"reference", "ReferenceBackend"}, {"cpu", "CpuBackend"}, {"cuda", "CudaBackend"}};

/// Kernels by name, each with the stem of the file that defines it: a line such as "Tensor
/// CpuBackend::relu(", at the beginning of a line.
std::map<std::string, std::string> kernels_of(const fs::path& folder, const std::string& name) {
  std::map<std::string, std::string> kernels;
  const std::regex definition("(?:^|\n)[A-Za-z][^ \n]*(?: [^ \n]+)* " + name + "::([a-z_0-9]+)\\(");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string stem = entry.path().stem();
    if (!kConcepts.contains(stem) || entry.path().extension() == ".h") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator found(text.begin(), text.end(), definition), end; found != end;
         ++found) {
      kernels[(*found)[1]] = stem;
    }
  }
  return kernels;
}

fs::path engine() { return fs::path(COGRAD_SOURCE_DIR) / "engine"; }

/// Whether the sources lie where they were compiled; prints why not.
bool has_sources() {
  if (fs::is_directory(engine() / "reference")) return true;
  std::printf("SKIPPED: the sources are not at %s\n", engine().c_str());
  return false;
}

}  // namespace

TEST_CASE("every backend has a file for each concept, or inherits it", "[mirror]") {
  if (!has_sources()) return;
  for (const auto& [folder, inherited] : kInherited) {
    CAPTURE(folder);
    std::set<std::string> stems;
    for (const fs::directory_entry& entry : fs::directory_iterator(engine() / folder)) {
      const std::string extension = entry.path().extension(), stem = entry.path().stem();
      if ((extension == ".cpp" || extension == ".cu") && kConcepts.contains(stem)) {
        stems.insert(stem);
      }
    }
    std::set<std::string> expected = kConcepts;
    for (const std::string& stem : inherited) expected.erase(stem);
    CHECK(stems == expected);
  }
}

TEST_CASE("a kernel lies in files of one name", "[mirror]") {
  if (!has_sources()) return;
  const auto reference = kernels_of(engine() / "reference", "ReferenceBackend");
  CHECK(reference.size() >= 27);
  CHECK(reference.at("reduce") == "aggregation");
  for (const auto& [folder, name] : kClasses) {
    for (const auto& [kernel, stem] : kernels_of(engine() / folder, name)) {
      CAPTURE(folder, kernel);
      const auto expected = reference.find(kernel);
      // One that the reference leaves to Backend, such as linear_backward(), has the file's name.
      CHECK((expected == reference.end() ? kernel.starts_with(stem) : stem == expected->second));
    }
  }
}

}  // namespace cograd::testing
