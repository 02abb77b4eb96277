#include "cograd/experiments/study/memorization_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/report/memorization_report.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/report/rate_grid.h"
#include "cograd/experiments/study/cost_estimate.h"
#include "cograd/experiments/study/presets.h"
#include "cograd/experiments/study/study.h"

namespace cograd {
namespace {

/// The run whose learning order the gallery shows: a finished one, preferably without noise.
const RunRecord& run_for_gallery(const std::vector<RunRecord>& records) {
  const auto finished =
      std::find_if(records.begin(), records.end(), std::mem_fn(&RunRecord::finished));
  const auto clean = std::find_if(finished, records.end(), [](const RunRecord& record) {
    return record.finished() && record.settings.corrupt_fraction == 0.0;
  });
  if (clean != records.end()) return *clean;
  return finished != records.end() ? *finished : records.front();
}

void run(int argc, char** argv, const StudyText& text, const Presets& presets) {
  const auto start = std::chrono::steady_clock::now();
  const StudyOptions options = parse_options(argc, argv, text.description, presets);
  if (!options.help.empty()) {
    show(stdout, options.help);
    return;
  }
  prepare_threads(options, argv);
  const Study study = prepare_study(options);
  if (!study.team->leads()) {
    run_study(study);
    return;
  }
  const auto kept = std::count_if(study.over.begin(), study.over.end(),
                                  [](const auto& record) { return record.has_value(); });
  show(stdout,
       fmt::format("{} run{}{} on {}: {} training examples, {} epochs, {} ({} parameters)\n",
                   study.runs.size(), study.runs.size() == 1 ? "" : "s",
                   kept > 0 ? fmt::format(" ({} of them over before)", kept) : "", options.dataset,
                   study.data.train->size(), options.run.epochs, options.run.model,
                   study.parameters));
  show_notes(study);
  if (options.preset == "paper")
    show(stdout, estimate_text(estimate_cost(study), text_width(stdout)));
  const std::vector<RunRecord> records = run_study(study);
  if (!makes_report(study)) return check_all_finished(records);

  Report report = memorization_report(records);
  report.title = text.title;
  report.lead = text.lead;
  report.dataset = options.dataset;
  report.claims = text.claims(records);
  report.answer = memorization_answer(records, report.claims);
  report.galleries.push_back(difficulty_gallery(run_for_gallery(records), *study.data.train,
                                                study.data.transform.statistics));
  report.identity = identity_of(study);
  report.facts = facts_of(
      study, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());

  for (const std::string& warning : edge_warnings(records)) {
    show(stdout, "note: " + warning + "\n");
  }
  publish(report, options.output_dir);
  check_all_finished(records);
}

}  // namespace

int memorization_study(int argc, char** argv, const StudyText& text, const Presets& presets) {
  return report_errors(text.program, [&] { run(argc, argv, text, presets); });
}

int label_noise_study(int argc, char** argv) {
  const StudyText text{
      "label_noise",
      "Trains a model with each aggregator on data whose labels are partly random, and reports "
      "how much of the false labels each one memorizes. Leaves one directory per run and "
      "report.html in --output-dir.",
      "Label noise: which aggregators memorize random labels?",
      "A part of the training labels was replaced by random ones. A network that learns what is "
      "common to many examples has no use for them; one that memorizes fits them all the same, "
      "and pays with its test accuracy. Every run below trains the same network on the same "
      "labels; the only difference is how the gradients of the examples of a batch are made into "
      "one.",
      memorization_claims};
  return memorization_study(argc, argv, text, label_noise_preset);
}

}  // namespace cograd
