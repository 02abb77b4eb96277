// Texts from files of others, in figures, pages, tables and JSON: data everywhere, code nowhere.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/report/accuracy.h"
#include "cograd/experiments/report/coherence.h"
#include "cograd/experiments/report/curves.h"
#include "cograd/experiments/report/learning_order.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/page/html.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/report/page/runs_csv.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/xml.h"

namespace cograd::testing {
namespace {

/// Each would make `file` if gnuplot or a shell read it as code, or would break a page.
std::vector<std::string> hostile_texts(const std::filesystem::path& file) {
  const std::string touch = "touch " + file.string();
  std::vector<std::string> texts{"m3\n!" + touch + "\n",
                                 "m3\r!" + touch + "\r",
                                 "m3'\n!" + touch + "\n#",
                                 "`" + touch + "`",
                                 "$(" + touch + ")",
                                 "'; system('" + touch + "') #",
                                 "''; system \"" + touch + "\" #",
                                 "\"; system(\"" + touch + "\")",
                                 "END\nsystem '" + touch + "'\n",
                                 "@x @GPVAL_TERM",
                                 "%s%n %d",
                                 "\\",
                                 "\\\\'",
                                 "{/Symbol a} a_b^c",
                                 "<script>alert(1)</script>",
                                 "</text></svg><script>",
                                 "\" onload=\"alert(1)",
                                 "' onload='alert(1)",
                                 "]]> --> <!-- &",
                                 "[text 0] [text 2] [text 99] [text x]",
                                 "\x1b]0;title\x07\x1b[31mred",
                                 std::string("nul\0nul", 7),
                                 "c\xe4t \xff\xfe \xc0\x80 \xed\xa0\x80",
                                 "ok \xe2\x80\xae reversed \xe2\x80\xa8 line",
                                 std::string(10000, 'x'),
                                 std::string(10000, '\''),
                                 std::string(3000, '\n'),
                                 ""};
  for (int c = 1; c < 0x20; ++c)
    texts.push_back(fmt::format("a{}!{}", static_cast<char>(c), touch));
  return texts;
}

Figure figure_with(const std::string& text) {
  Figure figure{text, text, text, {}, {0.0, 100.0}};
  figure.curves.push_back({text, {0.0, 1.0}, {10.0, 20.0}});
  figure.curves.push_back({"m3", {0.0, 1.0}, {10.0, 90.0}});
  return figure;
}

/// Without the places of the legend, which depend on the longest label.
std::string without_places(const std::string& script) {
  std::istringstream lines(script);
  std::string rest;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("set rmargin ") || line.starts_with("set bmargin ")) continue;
    line = replaced(replaced(line, "first ", ""), "screen ", "");
    std::erase_if(line, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
    rest += line + "\n";
  }
  return rest;
}

/// Empty where there is no gnuplot.
std::string drawn(const Figure& figure) {
  try {
    return draw_svg(figure, "f0");
  } catch (const IoError& error) {
    if (std::string(error.what()).find("install") == std::string::npos) throw;
    std::printf("SKIPPED: drawing needs gnuplot: %s\n", error.what());
    return "";
  }
}

}  // namespace

TEST_CASE("no text is ever part of what gnuplot executes", "[report][hostile]") {
  const TemporaryFolder folder;
  const std::string plain = without_places(gnuplot_script(figure_with("mean")));
  for (const std::string& text : hostile_texts(folder.path / "pwned")) {
    CAPTURE(text.substr(0, 60));
    CHECK(without_places(gnuplot_script(figure_with(text))) == plain);
    const std::string svg = drawn(figure_with(text));
    if (svg.empty()) return;
    REQUIRE(std::filesystem::is_empty(folder.path));
    REQUIRE(xml_fault(svg) == "");
    CHECK_THAT(svg, contains("<title>" + escaped(text) + "</title>"));
    if (text.size() < 20) CHECK_THAT(svg, contains("<text>" + escaped(text) + "</text>"));
  }
}

TEST_CASE("numbers that are none leave gaps in a figure", "[report][hostile]") {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  Figure figure{"f", "x", "y", {}, {}};
  const auto draws = [&](const std::vector<double>& x, const std::vector<double>& y) {
    figure.curves = {{"m3", x, y}};
    std::string script = gnuplot_script(figure);
    for (const char* none : {"nan", "inf", "e+"}) CHECK(script.find(none) == std::string::npos);
    const std::string svg = drawn(figure);
    CHECK(xml_fault(svg) == "");
    return script;
  };
  CHECK_THAT(draws({0.0, 1.0, 2.0, 3.0}, {1.0, kNone, 3.0, -kInfinite}),
             contains("<< END\n0 1\n\n2 3\n\nEND\n"));
  for (const bool log : {false, true}) {
    figure.x_log = log;
    draws({0.0, 1.0}, {kNone, kInfinite});
    draws({kNone, -1.0, 0.0}, {1.0, 1e300, kInfinite});
    draws({0.0, 1e-3, 10.0}, {1.0, 2.0, 3.0});
    draws({}, {});
  }
  figure.curves[0] = {"m3", {1.0, 2.0}, {1.0, 2.0}, "#0072B2", 0, 0, {0.0, kNone}, {2.0, 3.0}};
  CHECK_THAT(gnuplot_script(figure), contains("1 1 0 2\n2 2 NaN NaN\nEND"));
  figure.curves[0].colour = "red'\n!date";
  CHECK_THROWS_AS(gnuplot_script(figure), ValueError);
}

TEST_CASE("a pipe in the place of a table is refused", "[report][hostile]") {
  const TemporaryFolder folder;
  RunRecord run = run_with("mean", 30, 0.5, 95.0, 80.0, 58.0);
  run.folder = folder.path;
  REQUIRE(mkfifo((folder.path / "example_coherence.csv").c_str(), 0600) == 0);
  CHECK_THROWS_AS(coherence_figures({run}), IoError);
}

TEST_CASE("a page over hostile names is well-formed and says them", "[report][hostile]") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path / "report");
  const std::vector<std::string> texts = hostile_texts(folder.path / "pwned");
  for (std::size_t i = 0; i < texts.size(); i += 8) {  // a page each is slow
    const std::string& text = texts[i];
    CAPTURE(text.substr(0, 60));
    std::vector<RunRecord> runs{run_with("mean", 30, 0.5, 95.0, 80.0, 58.0),
                                run_with(text, 30, 0.5, 60.0, 30.0, 69.0),
                                run_with(text, 30, 0.5, 60.0, 30.0, 69.0)};
    runs[2].settings.learning_rate = 0.3;
    runs[2].failure = text + "x";
    for (RunRecord& run : runs) run.folder = folder.path / text.substr(0, 20);
    Report report = memorization_report(runs);
    report.title = report.lead = report.dataset = text;
    report.claims = {{text, Source::paper, Verdict::holds, text}};
    report.identity = report.facts = {{text, text}};
    report.galleries = {{text, text, {{text, {{{1, 1}, {1, 2, 3}, text}}, {}}}}};
    write_report(report, folder.path / "report");
    REQUIRE_FALSE(std::filesystem::exists(folder.path / "pwned"));
    std::string page = read_file(folder.path / "report" / "report.html");
    CHECK_THAT(page, contains("<h1>" + escaped(text) + "</h1>"));
    CHECK(page.find("<script") == std::string::npos);
    for (const char* empty : {"<meta charset=\"utf-8\"", "initial-scale=1\""}) {
      page.insert(page.find(empty) + std::string(empty).size(), "/");
    }
    for (std::size_t at = page.find("<img "); at != std::string::npos;
         at = page.find("<img ", at + 1)) {
      page.insert(page.find('>', page.find(" title=", at)), "/");
    }
    REQUIRE(xml_fault(page) == "");
    const auto json = nlohmann::json::parse(read_file(folder.path / "report" / "claims.json"));
    CHECK(json[0]["claim"] == printable(text));
    const std::string csv = read_file(folder.path / "report" / "runs.csv");
    CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);
    for (std::size_t line = 0; line != std::string::npos; line = csv.find('\n', line + 1)) {
      const std::size_t cell = line == 0 ? 0 : line + 1;
      if (cell < csv.size()) CHECK(std::string("=+-@").find(csv[cell]) == std::string::npos);
    }
  }
}

}  // namespace cograd::testing
