#include "cograd/experiments/report/memorization_report.h"

#include <iterator>

#include "cograd/experiments/report/accuracy.h"
#include "cograd/experiments/report/coherence.h"
#include "cograd/experiments/report/contributions.h"
#include "cograd/experiments/report/frontier.h"
#include "cograd/experiments/report/group_size.h"
#include "cograd/experiments/report/learning_order.h"
#include "cograd/experiments/report/learning_rates.h"
#include "cograd/experiments/report/windows.h"

namespace cograd {
namespace {

constexpr const char* kNoiseReading =
    "Each curve is one setting, named by its aggregator and batch size (b); epoch 0 is before "
    "training, and its values may lie outside. An axis begins at zero unless all values lie far "
    "above. Pristine training examples have their true label, corrupt ones a false one. Fitting "
    "corrupt labels is memorization, so low is good there, while pristine and test accuracy should "
    "be high. Several seeds give the mean and, as a band, the range. Compare each median with the "
    "mean at the size of its groups, as the authors' released code runs, and with that of the same "
    "batch size: a median suppresses directions that few examples of a group share. "
    "Coherence is measured on pristine and on corrupt examples apart, with the network as in "
    "evaluation: alpha is the squared norm of the expected gradient over the expected squared norm "
    "of an example's gradient, estimated without bias from batches of eight groups of eight, and "
    "m-coherence is 1 + (m - 1) alpha for m = 64. Both are of single examples, as in the "
    "literature; the coherence of group means is larger. An estimate below 1 is noise around 1. A "
    "run that failed is drawn as far as it came, thin, with hollow markers, and ends in a cross.";

}  // namespace

Report memorization_report(const std::vector<RunRecord>& runs) {
  Report report;
  report.reading = kNoiseReading;
  report.runs = runs;
  for (const auto figures : {accuracy_figures, frontier_figures, group_size_figures,
                             learning_order_figures, contribution_figures, coherence_figures}) {
    std::vector<FigureGroup> groups = figures(runs);
    std::move(groups.begin(), groups.end(), std::back_inserter(report.figures));
  }
  for (const auto table_of :
       {final_numbers, windows, best_learning_rates, best_stops, difficulty_table}) {
    Table table = table_of(runs);
    if (!table.rows.empty()) report.tables.push_back(std::move(table));
  }
  return report;
}

}  // namespace cograd
