#include "experiments/run/learning_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>

#include "engine/error.h"
#include "engine/file.h"

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
    : first_learned_(examples, kNever),
      learned_since_(examples, kNever),
      last_forgotten_(examples, kNever),
      forgetting_events_(examples, 0),
      el2n_(examples, 0.0f),
      gradient_norm_(examples, 0.0f) {}

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
    el2n_[i] = judgements[i].error_norm;
    gradient_norm_[i] = judgements[i].last_layer_gradient;
  }
}

ExampleDifficulty LearningOrder::of(std::size_t i, std::int64_t index,
                                    const CorruptedLabels& data) const {
  return {.index = index,
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

void LearningOrder::load(const Safetensors& content) {
  visit(*this, [&](const char* name, auto& values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    std::vector<T> read = content.at(name).to_vector<T>();
    require<ShapeError>(read.size() == values.size(),
                        "[learning order] {} is of {} examples: expected {}", name, read.size(),
                        values.size());
    values = std::move(read);
  });
}

void write_difficulty(const std::filesystem::path& path,
                      const std::vector<ExampleDifficulty>& examples) {
  std::string text = std::string(kHeader) + "\n";
  for (const ExampleDifficulty& e : examples) {
    text += fmt::format("{},{},{},{},{},{},{},{:.6g},{:.6g}\n", e.index, e.label, e.true_label,
                        text_of(e.first_learned), text_of(e.learned_since),
                        text_of(e.last_forgotten), e.forgetting_events, e.el2n, e.gradient_norm);
  }
  write_file(path, text);
}

std::vector<ExampleDifficulty> read_difficulty(const std::filesystem::path& path) {
  std::ifstream in(path);
  require<IoError>(in.is_open(), "[difficulty] cannot read {}", path.string());
  std::string line;
  std::getline(in, line);
  require<FormatError>(line == kHeader, "[difficulty] {} begins with '{}': expected '{}'",
                       path.string(), line.substr(0, 40), kHeader);
  std::vector<ExampleDifficulty> examples;
  while (std::getline(in, line)) {
    std::vector<std::string> cells;
    std::stringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(std::move(cell));
    ExampleDifficulty e;
    try {
      const auto step = [&](std::size_t i) {
        return cells.at(i).empty() ? std::nullopt
                                   : std::optional(std::int64_t{std::stoll(cells[i])});
      };
      e = {std::stoll(cells.at(0)),
           std::stoll(cells.at(1)),
           std::stoll(cells.at(2)),
           step(3),
           step(4),
           step(5),
           std::stoll(cells.at(6)),
           std::stod(cells.at(7)),
           std::stod(cells.at(8))};
    } catch (const std::exception&) {  // of stoll, stod and at
      throw FormatError(fmt::format("[difficulty] {}: line {} is damaged: '{}'", path.string(),
                                    examples.size() + 2, line.substr(0, 60)));
    }
    examples.push_back(e);
  }
  return examples;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  require<ShapeError>(a.size() == b.size(), "[rank correlation] {} values against {}", a.size(),
                      b.size());
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double mean = 0.5 * (static_cast<double>(a.size()) - 1.0);
  double xy = 0.0, xx = 0.0, yy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0.0 && yy > 0.0 ? xy / std::sqrt(xx * yy) : 0.0;
}

}  // namespace cograd
