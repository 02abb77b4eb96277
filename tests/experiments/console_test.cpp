// What programs print: help and estimates in lines that fit the terminal.
#include <sstream>

#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/console/command_line.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/options.h"
#include "cograd/experiments/study/presets.h"
#include "tests/support/catch.h"

namespace cograd::testing {
namespace {

/// All words of a text, one blank between them.
std::string words_of(const std::string& text) {
  std::istringstream in(text);
  std::string words;
  for (std::string word; in >> word;) words += word + " ";
  return words;
}

void check_fits(const std::string& text, std::size_t width) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    CAPTURE(line);
    CHECK(display_width(line) <= width);
  }
}

/// A program with each kind of argument.
void add_arguments(CLI::App& app, std::string& file, std::string& list, bool& flag) {
  app.add_option("IMAGE", file, "JPEG and PNG files")->required();
  app.add_option(
         "--list", list,
         "Comma-separated list of mean, mean:K, m3, mom:K, rm3, ra3, trimmed:K,T, each with "
         "@BATCH if it has another batch size")
      ->default_str("mean@30,m3@30,mean@10,rm3@10,ra3@10");
  app.add_flag("--flag,-f", flag,
               "Wide characters: 日本語 日本語 日本語 日本語 日本語 日本語 日本語");
}

}  // namespace

TEST_CASE("the help fits the width of a terminal", "[console]") {
  CLI::App app{
      "Prints the five likeliest classes of each image, which is said in a long line here."};
  std::string file, list;
  bool flag = false;
  add_arguments(app, file, list, flag);
  const std::string wide = help_of(app, 100);
  CHECK_THAT(wide, contains("\n  IMAGE TEXT REQUIRED") && contains("JPEG and PNG files\n"));
  CHECK_THAT(wide, contains("\n  --list TEXT=mean@30,m3@30,mean@10,rm3@10,ra3@10\n"
                            "                            Comma-separated list of mean,"));
  for (std::size_t width = 20; width <= 120; ++width) {
    CAPTURE(width);
    const std::string help = help_of(app, width);
    check_fits(help, width);
    if (width >= 60) CHECK(words_of(help) == words_of(wide));  // long words are broken below
  }
}

TEST_CASE("the help of a study fits files and pipes", "[console]") {
  std::vector<const char*> arguments{"label_noise", "--help"};
  const std::string help =
      parse_options(2, arguments.data(), std::string(300, 'x') + " y", label_noise_preset).help;
  CHECK_THAT(help, contains("--corrupt-fraction"));
  check_fits(help, 120);
}

TEST_CASE("the estimate of a study's cost fits the width of a terminal", "[console]") {
  CostEstimate cost;
  cost.images = 1'331'167;
  cost.steps = 8'000'000;
  cost.runs = 20;
  cost.seconds = 1e6;
  CHECK_THAT(estimate_text(cost), contains("\n  images  1331167\n  steps   8000000 in 20 runs\n"));
  for (const std::size_t width : {20, 40, 79}) {
    check_fits(estimate_text(cost, width), width);
    CHECK(words_of(estimate_text(cost, width)) == words_of(estimate_text(cost)));
  }
}

}  // namespace cograd::testing
