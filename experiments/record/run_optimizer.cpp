#include "cograd/experiments/record/run_optimizer.h"

#include <utility>

#include "cograd/optim/optimizer_registry.h"

namespace cograd {

std::unique_ptr<Optimizer> optimizer_of(const RunSettings& run, std::vector<Parameter*> parameters,
                                        const Aggregator& aggregator) {
  return make_optimizer(run.optimizer, std::move(parameters), aggregator,
                        {run.learning_rate, run.momentum, run.weight_decay, run.force_momentum});
}

std::unique_ptr<Schedule> schedule_of(const RunSettings& run) {
  std::unique_ptr<Schedule> schedule = make_schedule(run.schedule, run.learning_rate, run.epochs);
  if (run.warmup == 0.0) return schedule;
  return std::make_unique<WarmUp>(std::move(schedule), run.warmup);
}

}  // namespace cograd
