// The report of memorize, and memorization.csv.
#pragma once

#include <string>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/experiments/record/subset_model_file.h"
#include "cograd/experiments/report/page/report_page.h"

namespace cograd {

/// A row per aggregator and example of `train`, at the epoch whose training accuracy is first at
/// least the highest that all aggregators reach. Indices count in the whole training set.
std::string memorization_csv(const std::vector<SubsetModels>& all, const CorruptedLabels& train);

/// Scores at equal training accuracy, with intervals: of pristine examples and, if there are any, of
/// corrupt ones.
Table memorization_table(const std::vector<SubsetModels>& all, const CorruptedLabels& train);

/// Tables, figures, and a gallery of the examples that the first aggregator memorizes most.
/// `statistics` has normalized the images.
Report memorize_report(const std::vector<SubsetModels>& all, const CorruptedLabels& train,
                       const ChannelStatistics& statistics);

}  // namespace cograd
