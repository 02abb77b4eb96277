// The models of memorize: trained one by one, kept as files.
#pragma once

#include <memory>
#include <vector>

#include "cograd/data/corrupted_labels.h"
#include "cograd/experiments/record/subset_model_file.h"
#include "cograd/experiments/study/memorize_options.h"
#include "cograd/experiments/study/study.h"

namespace cograd {

/// The training set with the labels that all models learn. The runs of a study differ in their
/// aggregators alone.
std::shared_ptr<const CorruptedLabels> labels_of_models(const Study& study);

/// Trains on `train`, which are labels_of_models(), the models that are not in the output folder yet, model by model for all aggregators.
/// Each lies in a file of its own in models_RUN/, beside the config.json of its settings. Throws
/// Interrupted, which says how to resume; Diverged; IoError or FormatError if the folder holds
/// models of other settings or damaged ones, or any without --resume.
std::vector<SubsetModels> run_subset_models(const Study& study, const MemorizeOptions& options,
                                            const std::shared_ptr<const CorruptedLabels>& train);

}  // namespace cograd
