#include "experiments/run/learning_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"
#include "engine/file.h"
#include "experiments/run/csv.h"

namespace cograd {
namespace {

constexpr std::int64_t kNever = -1;
constexpr const char* kHeader =
    "index,label,true_label,first_learned,learned_since,last_forgotten,forgetting_events,el2n,"
    "gradient_norm";

std::optional<std::int64_t> step_or_never(std::int64_t step) {
  return step == kNever ? std::nullopt : std::optional(step);
}

std::string text_of(const std::optional<std::int64_t>& step) {
  return step ? std::to_string(*step) : std::string();
}

std::string score_text(double score) {
  return std::isnan(score) ? std::string() : fmt::format("{:.6g}", score);
}

/// Ranks from 0; of equal values each gets the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + end - 1);
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

}  // namespace

LearningOrder::LearningOrder(std::size_t examples)
    : judged_(examples, 0),
      first_learned_(examples, kNever),
      learned_since_(examples, kNever),
      last_forgotten_(examples, kNever),
      forgetting_events_(examples, 0),
      el2n_(examples, std::numeric_limits<float>::quiet_NaN()),
      gradient_norm_(examples, std::numeric_limits<float>::quiet_NaN()) {}

bool LearningOrder::wants(std::int64_t step) {
  while (step > 0 && step % 10 == 0) step /= 10;
  return step == 1 || step == 2 || step == 5;
}

std::int64_t LearningOrder::early_epoch(std::int64_t epochs) {
  return std::max<std::int64_t>(1, epochs / 10);
}

void LearningOrder::observe(std::int64_t step, const std::vector<Judgement>& judgements) {
  require<ShapeError>(judgements.size() == first_learned_.size(),
                      "[learning order] {} judgements: expected one of each of the {} examples",
                      judgements.size(), first_learned_.size());
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    if (judgements[i].rank < 0) continue;
    judged_[i] = 1;
    const bool was_learned = learned_since_[i] != kNever;
    const bool learned = judgements[i].rank == 0;
    if (learned && first_learned_[i] == kNever) first_learned_[i] = step;
    if (learned && !was_learned) learned_since_[i] = step;
    if (!learned && was_learned) {
      learned_since_[i] = kNever;
      last_forgotten_[i] = step;
      ++forgetting_events_[i];
    }
  }
}

void LearningOrder::score(const std::vector<Judgement>& judgements) {
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    if (judgements[i].rank < 0) continue;
    el2n_[i] = judgements[i].error_norm;
    gradient_norm_[i] = judgements[i].last_layer_gradient;
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
          .gradient_norm = gradient_norm_[i]};
}

template <class Self, class Visit>
void LearningOrder::visit(Self& self, const Visit& visit) {
  visit("learning_order.judged", self.judged_);
  visit("learning_order.first_learned", self.first_learned_);
  visit("learning_order.learned_since", self.learned_since_);
  visit("learning_order.last_forgotten", self.last_forgotten_);
  visit("learning_order.forgetting_events", self.forgetting_events_);
  visit("learning_order.el2n", self.el2n_);
  visit("learning_order.gradient_norm", self.gradient_norm_);
}

void LearningOrder::save(Safetensors& content) const {
  visit(*this, [&](const char* name, const auto& values) {
    content.tensors.emplace_back(
        name,
        Tensor::from(values, {static_cast<std::int64_t>(values.size())}, reference_backend()));
  });
}

void LearningOrder::load(const Safetensors& content, std::int64_t last_step) {
  visit(*this, [&](const char* name, auto& values) {
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

void write_difficulty(const std::filesystem::path& path,
                      const std::vector<ExampleDifficulty>& examples) {
  std::string text = std::string(kHeader) + "\n";
  for (const ExampleDifficulty& e : examples) {
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{}\n", e.index, e.label, e.true_label,
                    text_of(e.first_learned), text_of(e.learned_since), text_of(e.last_forgotten),
                    e.forgetting_events, score_text(e.el2n), score_text(e.gradient_norm));
  }
  write_file(path, text);
}

std::vector<ExampleDifficulty> read_difficulty(const std::filesystem::path& path) {
  std::vector<ExampleDifficulty> examples;
  for (CsvRows rows(path, kHeader); rows.next();) {
    const auto step = [&](std::size_t column) {
      return rows.empty(column) ? std::nullopt : std::optional(rows.integer(column));
    };
    const auto score = [&](std::size_t column) {
      return rows.empty(column) ? std::numeric_limits<double>::quiet_NaN() : rows.number(column);
    };
    examples.push_back({rows.integer(0), rows.integer(1), rows.integer(2), step(3), step(4),
                        step(5), rows.integer(6), score(7), score(8)});
  }
  return examples;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  require<ShapeError>(a.size() == b.size(), "[rank correlation] {} values against {}", a.size(),
                      b.size());
  std::vector<double> with_a, with_b;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) continue;
    with_a.push_back(a[i]);
    with_b.push_back(b[i]);
  }
  const std::vector<double> x = ranks_of(with_a), y = ranks_of(with_b);
  const double mean = 0.5 * (static_cast<double>(x.size()) - 1.0);
  double xy = 0.0, xx = 0.0, yy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0.0 && yy > 0.0 ? xy / std::sqrt(xx * yy) : 0.0;
}

}  // namespace cograd
