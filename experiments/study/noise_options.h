// The options --noise, --labels and --corrupt-fraction: which labels a study learns.
#pragma once

#include <string>
#include <vector>

#include "cograd/experiments/record/run_settings.h"
#include "cograd/experiments/study/options.h"
#include "cograd/experiments/train/study_data.h"

namespace cograd {

/// The values of --noise, for --help.
std::vector<std::string> noise_forms();
/// The kind that a value of --noise names. Throws UsageError.
NoiseKind parse_noise(const std::string& noise);

/// Throws UsageError for options that contradict each other.
void check_noise(const StudyOptions& options);
/// Whether --corrupt-fraction applies to the kind of noise.
bool takes_fraction(const StudyOptions& options);
/// The fractions of the runs: those of --corrupt-fraction, or {0} where the labels decide it.
std::vector<double> noise_fractions(const StudyOptions& options);
/// RunSettings::noise of a run at this fraction.
std::string noise_of_run(const StudyOptions& options, double fraction);

/// Reads the labels or the transition matrix of the options for `data.train`, and leaves out the
/// examples that are labelled with a class beyond --classes. Throws IoError, FormatError, and
/// ValueError for labels that do not fit the examples.
void open_noise(const StudyOptions& options, StudyData& data);

}  // namespace cograd
