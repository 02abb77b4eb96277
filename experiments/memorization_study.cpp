#include "experiments/memorization_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "experiments/claims.h"
#include "experiments/memorization.h"
#include "experiments/report.h"
#include "experiments/study.h"

namespace cograd {
namespace {

constexpr const char* kReading =
    "Each curve is one run, named by its aggregator and batch size (b); epoch 0 is before "
    "training. "
    "Fitting corrupt labels is memorization, so low is good there, while pristine and test "
    "accuracy "
    "should be high. Several seeds give the mean and, as a band, the range. Compare each median "
    "with the mean of the same batch size (the same dash): a "
    "median suppresses directions that few examples of a group share, and it matters how large the "
    "groups are.";

void run(int argc, char** argv, const StudyText& text, const Presets& presets) {
  const auto start = std::chrono::steady_clock::now();
  const StudyOptions options = parse_options(argc, argv, text.description, presets);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return;
  }
  const Study study = prepare_study(options);
  const auto kept = std::count_if(study.finished.begin(), study.finished.end(),
                                  [](const auto& record) { return record.has_value(); });
  fmt::print("{} run{}{} on {}: {} training examples, {} epochs, {} ({} parameters)\n",
             study.runs.size(), study.runs.size() == 1 ? "" : "s",
             kept > 0 ? fmt::format(" ({} of them finished before)", kept) : "", options.dataset,
             study.data.train->size(), options.run.epochs, options.run.model, study.parameters);
  std::fflush(stdout);
  const std::vector<RunRecord> records = run_study(study);

  Report report;
  report.title = text.title;
  report.lead = text.lead;
  report.claims = text.claims(records);
  report.figures = memorization_figures(records);
  report.reading = kReading;
  report.numbers = memorization_table(records);
  report.facts = facts_of(
      study, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());

  const std::filesystem::path folder = options.output_dir;
  write_claims(report.claims, folder / "claims.json");
  const std::string missing = write_report(report, folder / "report.html");
  if (!report.claims.empty()) fmt::print("\n{}\n", claims_table(report.claims));
  if (!missing.empty()) fmt::print("The report has no figures: {}\n", missing);
  fmt::print("report: {}\n", std::filesystem::absolute(folder / "report.html").string());
}

}  // namespace

int memorization_study(int argc, char** argv, const StudyText& text, const Presets& presets) {
  return report_errors(text.program, [&] { run(argc, argv, text, presets); });
}

}  // namespace cograd
