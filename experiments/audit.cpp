// audit: which labels of a training set are wrong?
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/record/suspects.h"
#include "cograd/experiments/report/label_audit.h"
#include "cograd/experiments/report/page/report_page.h"
#include "cograd/experiments/study/audit_study.h"
#include "cograd/experiments/study/cost_estimate.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Finds wrong labels: trains on the labels of a data set, or on those of --labels, and ranks "
    "them by the margin with which they are learned (AUM). Leaves suspects.csv with all labels, "
    "the "
    "most suspicious first, pred_probs.csv with out-of-sample probabilities, as cleanlab reads "
    "them, and report.html with the first suspects, in --output-dir. With noise that is known, as "
    "--corrupt-fraction makes it, the report says how well each score finds it.";
constexpr const char* kLead =
    "A network learns first what many examples share. A wrong label contradicts what the others "
    "teach, so it is learned late, by a small margin or not at all, most of all where a median "
    "suppresses the directions of few examples. AUM is the margin of a label, its logit minus the "
    "largest other logit, averaged over the epochs: it asks for no choice of when to look. A hard "
    "example with a right label is suspicious, too: look at the suspects before you change them.";

Report report_of(const AuditResults& results, const std::vector<Suspect>& suspects,
                 const StudyData& data) {
  Report report;
  report.title = "Which labels are wrong?";
  report.lead = kLead;
  report.has_claims = false;
  if (results.labels.truth_known) report.tables.push_back(detection_table(results.labels));
  report.tables.push_back(suspects_table(suspects, *data.train));
  report.galleries.push_back(suspects_gallery(suspects, *data.train, data.transform.statistics));
  report.runs = results.runs;
  return report;
}

void show_detection(const Table& table) {
  for (const std::vector<std::string>& row : table.rows) {
    show(stdout, fmt::format("{:<14} ROC AUC {}, precision at N {}\n", row[0], row[1], row[2]));
  }
}

void run(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  const AuditOptions options = parse_audit_options(argc, argv, kDescription);
  if (!options.study.help.empty()) {
    show(stdout, options.study.help);
    return;
  }
  prepare_threads(options.study, argv);
  const Audit audit = prepare_audit(options);
  const Study study = study_of(audit);
  const Dataset& train = *study.data.train;
  show(stdout,
       fmt::format("audit of the {} labels of {}: {} ({} parameters), {} epochs, {} seed{}, "
                   "{} folds\n",
                   train.size(), options.study.dataset, options.study.run.model, study.parameters,
                   options.study.run.epochs, options.study.seeds,
                   options.study.seeds == 1 ? "" : "s", options.folds));
  show_notes(study);
  if (options.study.preset == "paper")
    show(stdout, estimate_text(estimate_cost(study), text_width(stdout)));
  const AuditResults results = run_audit(audit, study);
  if (!makes_report(study)) return;
  const AuditedLabels& labels = results.labels;

  const std::vector<Suspect> suspects = suspects_of(labels);
  const fs::path folder = options.study.output_dir;
  write_suspects(folder / "suspects.csv", suspects, train.class_names());
  if (options.folds > 0) {
    std::vector<std::int64_t> indices, given;
    for (std::int64_t i = 0; i < labels.data.size(); ++i) {
      indices.push_back(labels.data.whole_index(i));
      given.push_back(labels.data.label(i));
    }
    write_pred_probs(folder / "pred_probs.csv", indices, given, labels.probabilities);
  }
  Report report = report_of(results, suspects, study.data);
  report.dataset = options.study.dataset;
  report.facts = facts_of(
      study, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  show_detection(detection_table(labels));
  if (std::ssize(suspects) < train.size()) {
    show(stdout, fmt::format("{} of {} labels have scores: the others' images were not evaluated\n",
                             suspects.size(), train.size()));
  }
  publish(report, folder);
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors("audit", [&] { run(argc, argv); });
}
