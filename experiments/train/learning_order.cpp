#include "cograd/experiments/train/learning_order.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

constexpr std::int64_t kNever = -1;
constexpr std::string_view kMargins = "learning_order.margin";  // begins their tensors' names

std::optional<std::int64_t> step_or_never(std::int64_t step) {
  return step == kNever ? std::nullopt : std::optional(step);
}

}  // namespace

LearningOrder::LearningOrder(std::size_t examples)
    : read_(examples, 0),
      first_learned_(examples, kNever),
      learned_since_(examples, kNever),
      last_forgotten_(examples, kNever),
      forgetting_events_(examples, 0),
      el2n_(examples, std::numeric_limits<float>::quiet_NaN()),
      gradient_norm_(examples, std::numeric_limits<float>::quiet_NaN()),
      margin_sum_(examples, 0.0),
      margin_epochs_(examples, 0) {}

bool LearningOrder::wants(std::int64_t step) {
  while (step > 0 && step % 10 == 0) step /= 10;
  return step == 1 || step == 2 || step == 5;
}

std::int64_t LearningOrder::early_epoch(std::int64_t epochs) {
  return std::max<std::int64_t>(1, epochs / 10);
}

void LearningOrder::observe(std::int64_t step, const std::vector<ExampleResult>& results) {
  require<ShapeError>(results.size() == first_learned_.size(),
                      "[learning order] {} results: expected one of each of the {} examples",
                      results.size(), first_learned_.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].was_read()) continue;
    read_[i] = 1;
    const bool was_learned = learned_since_[i] != kNever;
    const bool learned = results[i].rank == 0;
    if (learned && first_learned_[i] == kNever) first_learned_[i] = step;
    if (learned && !was_learned) learned_since_[i] = step;
    if (!learned && was_learned) {
      learned_since_[i] = kNever;
      last_forgotten_[i] = step;
      ++forgetting_events_[i];
    }
  }
}

void LearningOrder::score(const std::vector<ExampleResult>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].was_read()) continue;
    el2n_[i] = results[i].error_norm;
    gradient_norm_[i] = results[i].last_layer_gradient;
  }
}

void LearningOrder::add_margins(const std::vector<ExampleResult>& results) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].was_read()) continue;
    margin_sum_[i] += results[i].margin;
    ++margin_epochs_[i];
  }
}

ExampleDifficulty LearningOrder::of(std::size_t i, std::int64_t index,
                                    const CorruptedLabels& data) const {
  return {.index = data.whole_index(index),
          .label = data.label(index),
          .true_label = data.true_label(index),
          .first_learned = step_or_never(first_learned_[i]),
          .learned_since = step_or_never(learned_since_[i]),
          .last_forgotten = step_or_never(last_forgotten_[i]),
          .forgetting_events = forgetting_events_[i],
          .el2n = el2n_[i],
          .gradient_norm = gradient_norm_[i],
          .aum = margin_sum_[i] / static_cast<double>(margin_epochs_[i])};
}

template <class Self, class Visit>
void LearningOrder::visit(Self& self, const Visit& visit) {
  visit("learning_order.judged", self.read_);
  visit("learning_order.first_learned", self.first_learned_);
  visit("learning_order.learned_since", self.learned_since_);
  visit("learning_order.last_forgotten", self.last_forgotten_);
  visit("learning_order.forgetting_events", self.forgetting_events_);
  visit("learning_order.el2n", self.el2n_);
  visit("learning_order.gradient_norm", self.gradient_norm_);
  visit("learning_order.margin_sum", self.margin_sum_);
  visit("learning_order.margin_epochs", self.margin_epochs_);
}

void LearningOrder::save(Safetensors& content) const {
  visit(*this, [&](const char* name, const auto& values) {
    content.tensors.emplace_back(
        name,
        Tensor::from(values, {static_cast<std::int64_t>(values.size())}, reference_backend()));
  });
}

void LearningOrder::load(const Safetensors& content, std::int64_t last_step) {
  const bool has_margins = content.contains("learning_order.margin_sum");
  if (!has_margins) {
    margin_sum_.assign(margin_sum_.size(), std::numeric_limits<double>::quiet_NaN());
  }
  visit(*this, [&](const char* name, auto& values) {
    if (!has_margins && std::string_view(name).starts_with(kMargins)) return;
    using T = typename std::decay_t<decltype(values)>::value_type;
    std::vector<T> read = content.at(name).to_vector<T>();
    require<ShapeError>(read.size() == values.size(),
                        "[learning order] {} is of {} examples: expected {}", name, read.size(),
                        values.size());
    for (const T value : read) {
      const bool score = std::is_floating_point_v<T>;
      require<FormatError>(score || (value >= kNever && value <= static_cast<T>(last_step)),
                           "[learning order] {} holds {}: expected {} to {}", name, value, kNever,
                           last_step);
    }
    values = std::move(read);
  });
}

}  // namespace cograd
