// The program of all studies of memorization: runs over aggregators and noise levels, one report.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/report/page/claims.h"
#include "cograd/experiments/study/options.h"

namespace cograd {

/// The texts and claims of one study.
struct StudyText {
  const char* program;
  const char* description;  ///< for --help
  const char* title;        ///< of the report
  const char* lead;         ///< its question, in a paragraph
  std::function<std::vector<Claim>(const std::vector<RunRecord>&)> claims;
};

/// The whole program: reads the options, trains the runs, writes report.html and claims.json,
/// prints the claims. Returns the exit status.
int memorization_study(int argc, char** argv, const StudyText& text, const Presets& presets);

/// The program label_noise. A program with aggregators, data sets, models, schedules or optimizers
/// of its own registers them first, and every flag knows their names.
int label_noise_study(int argc, char** argv);

}  // namespace cograd
