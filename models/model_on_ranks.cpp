#include "cograd/models/model_on_ranks.h"

#include <utility>

#include "cograd/engine/parallel/synchronized_batch_norm.h"
#include "cograd/layers/batch_norm.h"

namespace cograd {
namespace {

std::vector<BatchNorm2d*> batch_norms(Module& model) {
  std::vector<BatchNorm2d*> norms;
  for (Module* module : model.modules()) {
    if (auto* norm = dynamic_cast<BatchNorm2d*>(module)) norms.push_back(norm);
  }
  return norms;
}

}  // namespace

std::vector<KeptStatistics> kept_statistics(Module& model) {
  std::vector<KeptStatistics> kept;
  for (const BatchNorm2d* norm : batch_norms(model)) {
    kept.push_back({norm->running(), norm->batches_tracked()});
  }
  return kept;
}

std::unique_ptr<Communicator> synchronize_batch_norms(Module& model, const DataParallel& parallel,
                                                      const Communicator& ranks) {
  const int span = parallel.ranks_per_group();
  if (span <= 1) return nullptr;
  std::unique_ptr<Communicator> group = ranks.split(ranks.rank() / span);
  for (BatchNorm2d* norm : batch_norms(model)) {
    norm->normalize_by([&of_group = *group](const Variable& x, Parameter& gamma, Parameter& beta,
                                            RunningStatistics& running, double eps,
                                            Epilogue epilogue, Variable residual) {
      return synchronized_batch_norm(x, gamma, beta, running, eps, epilogue, std::move(residual),
                                     of_group);
    });
  }
  return group;
}

}  // namespace cograd
