// Records of runs that never ran.
#pragma once

#include <string>

#include "cograd/experiments/record/run_record.h"

namespace cograd::testing {

/// One epoch, at whose end 90 % of the pristine examples are learned.
inline RunRecord run_with(const std::string& aggregator, std::int64_t batch, double noise,
                          double train, double corrupt, double test) {
  RunRecord run;
  run.settings.aggregator = aggregator;
  run.settings.batch_size = batch;
  run.settings.corrupt_fraction = noise;
  run.classes = 10;
  EpochRecord start, end;
  start.test = {100, 2.3, 10.0, 50.0};
  end.epoch = 1;
  end.pristine = {50, 1.0, 90.0, 99.0};
  end.corrupt = {noise > 0.0 ? 45 : 0, 1.0, corrupt, 99.0};
  end.train_sample = {95, 1.0, train, 99.0};
  end.test = {100, 1.0, test, 99.0};
  run.epochs = {start, end};
  return run;
}

}  // namespace cograd::testing
