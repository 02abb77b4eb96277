#include "cograd/experiments/train/predictions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cograd/data/loader.h"
#include "cograd/engine/autograd.h"
#include "cograd/experiments/record/model_card.h"
#include "cograd/layers/mixed_precision.h"
#include "cograd/models/registry.h"
#include "cograd/models/state_dict.h"

namespace cograd {
namespace {

constexpr std::int64_t kBatchSize = 100;

/// Softmax of `classes` logits.
void write_probabilities(const float* logits, std::int64_t classes, float* probabilities) {
  const float largest = *std::max_element(logits, logits + classes);
  double sum = 0.0;
  for (std::int64_t c = 0; c < classes; ++c) {
    sum += std::exp(static_cast<double>(logits[c] - largest));
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    probabilities[c] = static_cast<float>(std::exp(static_cast<double>(logits[c] - largest)) / sum);
  }
}

}  // namespace

std::vector<float> class_probabilities(const RunRecord& run, const DatasetPtr& data,
                                       Backend& backend,
                                       const std::function<void(const std::string&)>& skip_broken) {
  const std::unique_ptr<Module> model =
      make_model(run.settings.model, model_options(run.settings, *data));
  load_state(*model, run.folder / "weights.safetensors");
  model->to(backend);
  model->eval();
  const NoGradient guard;
  const std::int64_t classes = data->classes();
  std::vector<float> probabilities(static_cast<std::size_t>(data->size() * classes),
                                   std::numeric_limits<float>::quiet_NaN());
  Loader loader(data,
                {.batch_size = kBatchSize,
                 .shuffle = false,
                 .workers = run.settings.workers,
                 .skip_broken = skip_broken},
                backend);
  loader.start_epoch(0);
  while (const std::optional<Batch> batch = loader.next()) {
    if (batch->indices.empty()) continue;
    const Variable y = forward_in(run.settings.precision, *model, Variable(batch->images));
    const std::vector<float> logits = y.value().row_major().to_vector<float>();
    for (std::size_t i = 0; i < batch->indices.size(); ++i) {
      write_probabilities(logits.data() + static_cast<std::int64_t>(i) * classes, classes,
                          probabilities.data() + batch->indices[i] * classes);
    }
  }
  return probabilities;
}

}  // namespace cograd
