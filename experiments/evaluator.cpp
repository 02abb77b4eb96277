// Evaluation in large batches, without recording.
#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd.h"

namespace cograd {
namespace {

constexpr std::int64_t kBatchSize = 500;
constexpr std::int64_t kBytesToKeep = std::int64_t{512} << 20;

Judgement judge(const float* logits, std::int64_t classes, std::int64_t label) {
  const float largest = *std::max_element(logits, logits + classes);
  const float of_label = logits[label];
  Judgement judgement;
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
  evaluation.count = static_cast<std::int64_t>(chosen.size());
  if (chosen.empty()) return evaluation;
  for (const std::int64_t i : chosen) {
    const Judgement& judgement = judgements[static_cast<std::size_t>(i)];
    evaluation.loss += judgement.loss;
    evaluation.acc1 += judgement.rank == 0;
    evaluation.acc5 += judgement.rank < 5;
  }
  const auto count = static_cast<double>(chosen.size());
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

Evaluator::Evaluator(DatasetPtr data, Backend& backend, int workers)
    : data_(std::move(data)), backend_(&backend), workers_(workers) {
  const std::int64_t floats = data_->size() * data_->image_shape().numel();
  keep_ = floats * static_cast<std::int64_t>(sizeof(float)) <= kBytesToKeep;
}

template <class Use>
void Evaluator::for_each_batch(const Use& use) {
  if (kept_.empty()) {
    Loader loader(data_, {.batch_size = kBatchSize, .shuffle = false, .workers = workers_},
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

std::vector<Judgement> Evaluator::operator()(Module& model) {
  const NoGradient guard;
  const bool training = model.training();
  model.eval();
  std::vector<Judgement> judgements;
  judgements.reserve(static_cast<std::size_t>(data_->size()));
  for_each_batch([&](const Batch& batch) {
    const Variable y = model(Variable(batch.images));
    const std::int64_t classes = y.shape()[1];
    const std::vector<float> logits = y.value().row_major().to_vector<float>();
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      judgements.push_back(judge(logits.data() + static_cast<std::int64_t>(i) * classes, classes,
                                 data_->label(batch.indices[i])));
    }
  });
  model.train(training);
  return judgements;
}

}  // namespace cograd
