// The labels that a run learns.
#pragma once

#include <memory>

#include "cograd/data/corrupted_labels.h"
#include "cograd/data/label_noise.h"
#include "cograd/experiments/record/run_settings.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

/// `base`, all or a part of the training examples, with the labels of the run: those of
/// StudyData::given_labels, or noise of the run's kind, fraction and seed. Parts get independent
/// noise. Throws ValueError for an example without a given label, and if `data` lack what the kind
/// of noise needs.
std::shared_ptr<CorruptedLabels> noisy(DatasetPtr base, const RunSettings& settings,
                                       const StudyData& data, NoisePart part = NoisePart::training);

/// RunSettings::corrupt_fraction for the kind of noise: the fraction itself, or the share of false
/// labels that the data give, rounded to six decimals.
double corrupt_fraction_of(const RunSettings& settings, const StudyData& data);

}  // namespace cograd
