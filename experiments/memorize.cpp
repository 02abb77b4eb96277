// memorize: which training examples does a network predict right only because it was trained on
// them, and do medians memorize less of clean data? (Feldman and Zhang, NeurIPS 2020.)
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "cograd/engine/file.h"
#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/report/memorization_levels.h"
#include "cograd/experiments/report/memorize_report.h"
#include "cograd/experiments/study/subset_models.h"

namespace {

using namespace cograd;
namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Trains many models on random parts of the training set, and estimates of each example how "
    "much likelier a model predicts its label if it was trained on it. Compares the aggregators "
    "where their training accuracies are equal. Leaves memorization.csv, equal_accuracy.csv and "
    "report.html in --output-dir, and one small file a model, with which --resume goes on.";

/// The table in columns; its last cells hold intervals.
std::string text_of(const Table& table) {
  const std::vector<std::size_t> widths{16, 9, 9, 6, 9, 22, 22, 24};
  std::string text = side_by_side(table.header, widths);
  for (const auto& row : table.rows) text += side_by_side(row, widths);
  return text;
}

void run(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  const MemorizeOptions options = parse_memorize_options(argc, argv, kDescription);
  if (!options.study.help.empty()) {
    show(stdout, options.study.help);
    return;
  }
  prepare_threads(options.study, argv);
  const Study study = prepare_study(options.study);
  show(stdout, fmt::format("memorize on {}: {} models of each of {} aggregators, on {} % of {} "
                           "training examples, {} epochs, {} ({} parameters)\n",
                           options.study.dataset, options.models, study.runs.size(),
                           percent_text(options.subset), study.data.train->size(),
                           options.study.run.epochs, options.study.run.model, study.parameters));
  show_notes(study);
  const std::shared_ptr<const CorruptedLabels> labels = labels_of_models(study);
  const CorruptedLabels& train = *labels;
  const std::vector<SubsetModels> all = run_subset_models(study, options, labels);
  if (!makes_report(study)) return;
  const fs::path folder = options.study.output_dir;
  write_file(folder / "memorization.csv", memorization_csv(all, train));
  const std::vector<bool> every(static_cast<std::size_t>(train.size()), true);
  write_file(folder / "equal_accuracy.csv",
             memorization_levels_csv(all, memorization_levels(all, every)));
  Report report = memorize_report(all, train, study.data.transform.statistics);
  report.dataset = options.study.dataset;
  report.facts = facts_of(
      study, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  show(stdout, "\n" + text_of(report.tables[0]));
  publish(report, folder);
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors("memorize", [&] { run(argc, argv); });
}
