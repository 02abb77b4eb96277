// The README shows the training loop that the tests run, to the letter.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(std::string(COGRAD_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the README's training loop is the example that is run, under 40 lines", "[readme]") {
  const std::string readme = content("README.md");
  const std::string example = content("docs/examples/train_m3.cpp");
  REQUIRE(!example.empty());
  CHECK(readme.find("```cpp\n" + example + "```") != std::string::npos);
  CHECK(std::count(example.begin(), example.end(), '\n') < 40);
}

}  // namespace cograd::testing
