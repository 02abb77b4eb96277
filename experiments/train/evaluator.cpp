#include "cograd/experiments/train/evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <span>

#include "cograd/data/subset.h"
#include "cograd/engine/autograd.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/layers/linear.h"
#include "cograd/layers/mixed_precision.h"

namespace cograd {
namespace {

constexpr std::int64_t kBatchSize = 500;
constexpr std::int64_t kBatchElements = std::int64_t{1} << 22;  // larger images, fewer of them
constexpr std::int64_t kBytesToKeep = std::int64_t{512} << 20;

/// Logits predict nothing if one is NaN or the largest is infinite: the loss is then not finite,
/// and the rank lies beyond all classes.
ExampleResult result_of(const float* logits, std::int64_t classes, std::int64_t label) {
  const float largest = *std::max_element(logits, logits + classes);
  const float of_label = logits[label];
  ExampleResult result{.rank = 0};
  double sum = 0.0, squares = 0.0;
  float of_others = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t c = 0; c < classes; ++c) {
    const double e = std::exp(static_cast<double>(logits[c] - largest));
    sum += e, squares += e * e;
    if (c != label) of_others = std::fmax(of_others, logits[c]);
    // Of equal logits the first class wins.
    result.rank += logits[c] > of_label || (logits[c] == of_label && c < label);
  }
  result.margin = of_label - of_others;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  result.loss =
      std::isinf(largest) ? kInfinity : static_cast<float>(std::log(sum) + largest - of_label);
  if (std::isnan(sum)) result.rank = std::numeric_limits<std::int32_t>::max();
  // sum_c (p_c - [c = label])^2 = sum_c p_c^2 - 2 p_label + 1
  const double p_label = std::exp(static_cast<double>(of_label - largest)) / sum;
  const double squared = squares / (sum * sum) - 2.0 * p_label + 1.0;
  result.error_norm = static_cast<float>(std::sqrt(squared < 0.0 ? 0.0 : squared));  // or NaN
  return result;
}

/// Records, while alive, the squared norm of each row that enters the last fully connected layer in
/// a forward pass.
class Features {
 public:
  explicit Features(Module& model) {
    for (Module* module : model.modules()) {
      if (auto* linear = dynamic_cast<Linear*>(module)) last_ = linear;
    }
    if (last_ == nullptr) return;
    last_->observe_input([this](const Tensor& x) {
      const std::vector<float> values = x.to(Dtype::f32).row_major().to_vector<float>();
      const auto width = static_cast<std::size_t>(x.size(1));
      squared_norms_.assign(static_cast<std::size_t>(x.size(0)), 0.0);
      for (std::size_t i = 0; i < values.size(); ++i) {
        squared_norms_[i / width] += static_cast<double>(values[i]) * values[i];
      }
    });
  }
  ~Features() {
    if (last_ != nullptr) last_->observe_input({});
  }
  Features(const Features&) = delete;
  Features& operator=(const Features&) = delete;

  /// NaN for a model without a fully connected layer.
  double squared_norm(std::size_t row) const {
    return last_ != nullptr ? squared_norms_[row] : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  Linear* last_ = nullptr;
  std::vector<double> squared_norms_;
};

/// Examples of a rank, but the last ones, which may have fewer.
std::int64_t examples_per_rank(std::int64_t size, int ranks) { return (size + ranks - 1) / ranks; }

/// The examples of a rank of `team`, which may be none.
DatasetPtr part_of(DatasetPtr data, const Team* team) {
  if (team == nullptr || team->size() == 1) return data;
  const std::int64_t size = data->size(), part = examples_per_rank(size, team->size());
  const std::int64_t first = std::min(size, team->rank() * part);
  std::vector<std::int64_t> mine(static_cast<std::size_t>(std::min(size, first + part) - first));
  std::iota(mine.begin(), mine.end(), first);
  return std::make_shared<Subset>(std::move(data), std::move(mine));
}

}  // namespace

Evaluation summarize(const std::vector<ExampleResult>& results,
                     const std::vector<std::int64_t>& chosen) {
  Evaluation evaluation;
  for (const std::int64_t i : chosen) {
    const ExampleResult& result = results[static_cast<std::size_t>(i)];
    if (!result.was_read()) continue;
    ++evaluation.count;
    evaluation.loss += result.loss;
    evaluation.acc1 += result.rank == 0;
    evaluation.acc5 += result.rank < 5;
  }
  if (evaluation.count == 0) return evaluation;
  const auto count = static_cast<double>(evaluation.count);
  evaluation.loss /= count;
  evaluation.acc1 *= 100.0 / count;
  evaluation.acc5 *= 100.0 / count;
  return evaluation;
}

Evaluation summarize(const std::vector<ExampleResult>& results) {
  std::vector<std::int64_t> all(results.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return summarize(results, all);
}

Evaluator::Evaluator(DatasetPtr data, Backend& backend, int workers,
                     std::function<void(const std::string&)> skip_broken, Team* team)
    : size_(data->size()),
      data_(part_of(std::move(data), team)),
      team_(team != nullptr && team->size() > 1 ? team : nullptr),
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
    std::vector<Batch> batches;  // kept once complete: an interruption may end the loop
    while (std::optional<Batch> batch = loader.next()) {
      check_interruption();
      if (batch->indices.empty()) continue;
      use(*batch);
      if (keep_) batches.push_back(std::move(*batch));
    }
    kept_ = std::move(batches);
  } else {
    for (const Batch& batch : kept_) {
      check_interruption();
      use(batch);
    }
  }
}

std::vector<ExampleResult> Evaluator::operator()(Module& model, Dtype precision) {
  if (team_ == nullptr) return evaluate(model, precision);
  std::vector<ExampleResult> results;
  team_->together([&] {
    if (data_->size() > 0) results = evaluate(model, precision);
  });
  return of_all_ranks(results);
}

std::vector<ExampleResult> Evaluator::of_all_ranks(const std::vector<ExampleResult>& mine) {
  std::vector<ExampleResult> part = mine, all;
  part.resize(static_cast<std::size_t>(examples_per_rank(size_, team_->size())));
  const std::vector<std::byte> bytes = team_->gathered(std::as_bytes(std::span(part)));
  all.resize(bytes.size() / sizeof(ExampleResult));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  all.resize(static_cast<std::size_t>(size_));  // only the last ranks have fewer
  return all;
}

std::vector<ExampleResult> Evaluator::evaluate(Module& model, Dtype precision) {
  const NoGradient guard;
  const bool training = model.training();
  model.eval();
  struct Restore {  // after an interruption, too
    Module& model;
    bool training;
    ~Restore() { model.train(training); }
  } const restore{model, training};
  const Features features(model);
  std::vector<ExampleResult> results(static_cast<std::size_t>(data_->size()));
  for_each_batch([&](const Batch& batch) {
    const Variable y = forward_in(precision, model, Variable(batch.images));
    const std::int64_t classes = y.shape()[1];
    const std::vector<float> logits = y.value().row_major().to_vector<float>();
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      ExampleResult& result = results[static_cast<std::size_t>(batch.indices[i])];
      result = result_of(logits.data() + static_cast<std::int64_t>(i) * classes, classes,
                         data_->label(batch.indices[i]));
      result.last_layer_gradient =
          result.error_norm * static_cast<float>(std::sqrt(features.squared_norm(i) + 1.0));
    }
  });
  return results;
}

}  // namespace cograd
