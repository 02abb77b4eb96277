// Evaluation in large batches, without recording.
#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd.h"
#include "layers/mixed_precision.h"

namespace cograd {
namespace {

constexpr std::int64_t kBatchSize = 500;
constexpr std::int64_t kBatchElements = std::int64_t{1} << 22;  // larger images, fewer of them
constexpr std::int64_t kBytesToKeep = std::int64_t{512} << 20;

Judgement judge(const float* logits, std::int64_t classes, std::int64_t label) {
  const float largest = *std::max_element(logits, logits + classes);
  const float of_label = logits[label];
  Judgement judgement{.rank = 0};
  double sum = 0.0;
  for (std::int64_t c = 0; c < classes; ++c) {
    sum += std::exp(static_cast<double>(logits[c] - largest));
    // Of equal logits the first class wins.
    judgement.rank += logits[c] > of_label || (logits[c] == of_label && c < label);
  }
  judgement.loss = static_cast<float>(std::log(sum) + largest - of_label);
  return judgement;
}

}  // namespace

Evaluation summarize(const std::vector<Judgement>& judgements,
                     const std::vector<std::int64_t>& chosen) {
  Evaluation evaluation;
  for (const std::int64_t i : chosen) {
    const Judgement& judgement = judgements[static_cast<std::size_t>(i)];
    if (judgement.rank < 0) continue;
    ++evaluation.count;
    evaluation.loss += judgement.loss;
    evaluation.acc1 += judgement.rank == 0;
    evaluation.acc5 += judgement.rank < 5;
  }
  if (evaluation.count == 0) return evaluation;
  const auto count = static_cast<double>(evaluation.count);
  evaluation.loss /= count;
  evaluation.acc1 *= 100.0 / count;
  evaluation.acc5 *= 100.0 / count;
  return evaluation;
}

Evaluation summarize(const std::vector<Judgement>& judgements) {
  std::vector<std::int64_t> all(judgements.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return summarize(judgements, all);
}

Evaluator::Evaluator(DatasetPtr data, Backend& backend, int workers,
                     std::function<void(const std::string&)> skip_broken)
    : data_(std::move(data)),
      backend_(&backend),
      workers_(workers),
      skip_broken_(std::move(skip_broken)) {
  const std::int64_t floats = data_->size() * data_->image_shape().numel();
  keep_ = floats * static_cast<std::int64_t>(sizeof(float)) <= kBytesToKeep;
}

template <class Use>
void Evaluator::for_each_batch(const Use& use) {
  if (kept_.empty()) {
    const std::int64_t fitting = kBatchElements / data_->image_shape().numel();
    Loader loader(data_,
                  {.batch_size = std::clamp<std::int64_t>(fitting, 1, kBatchSize),
                   .shuffle = false,
                   .workers = workers_,
                   .skip_broken = skip_broken_},
                  *backend_);
    loader.start_epoch(0);
    while (std::optional<Batch> batch = loader.next()) {
      use(*batch);
      if (keep_) kept_.push_back(std::move(*batch));
    }
  } else {
    for (const Batch& batch : kept_) use(batch);
  }
}

std::vector<Judgement> Evaluator::operator()(Module& model, Dtype precision) {
  const NoGradient guard;
  const bool training = model.training();
  model.eval();
  std::vector<Judgement> judgements(static_cast<std::size_t>(data_->size()));
  for_each_batch([&](const Batch& batch) {
    const Variable y = forward_in(precision, model, Variable(batch.images));
    const std::int64_t classes = y.shape()[1];
    const std::vector<float> logits = y.value().row_major().to_vector<float>();
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      judgements[static_cast<std::size_t>(batch.indices[i])] =
          judge(logits.data() + static_cast<std::int64_t>(i) * classes, classes,
                data_->label(batch.indices[i]));
    }
  });
  model.train(training);
  return judgements;
}

}  // namespace cograd
