// What a trained model predicts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/engine/backend.h"
#include "cograd/experiments/record/run_record.h"

namespace cograd {

/// The probabilities [size, classes] that the model of a finished run gives to the classes of each
/// example, with activations as in the run; NaN for an image that `skip_broken` lets be skipped.
/// Throws IoError, FormatError or ValueError for weights that are no model of the run.
std::vector<float> class_probabilities(
    const RunRecord& run, const DatasetPtr& data, Backend& backend,
    const std::function<void(const std::string&)>& skip_broken = {});

}  // namespace cograd
