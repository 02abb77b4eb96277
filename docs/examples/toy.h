// The toy of the course's first chapter: what a class shares, and what an example has for itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/optim/sgd.h"

namespace toy {

using namespace cograd;

struct Settings {
  std::int64_t examples = 120;
  std::int64_t batch = 30;  ///< 4 steps an epoch
  int epochs = 400;
  double learning_rate = 1.0;
  bool shuffle = true;      ///< another order in each epoch
  std::int64_t copies = 1;  ///< how often a batch repeats its examples; divides `batch`
};

struct Outcome {
  double shared = 0.0;  ///< weight of the shared feature, towards class 1
  double own = 0.0;     ///< mean size of the weights of the own features
  int corrupt = 0;      ///< labels that are false
  int fitted = 0;       ///< of these, the labels that the model predicts all the same
};

/// 40 % of the labels are drawn at random, from two classes.
struct Labels {
  std::vector<std::int64_t> given, right;

  explicit Labels(std::int64_t examples) {
    Random random(1);
    for (std::int64_t i = 0; i < examples; ++i) {
      right.push_back(i % 2);
      const bool drawn = random.uniform() < 0.4f;
      given.push_back(drawn ? static_cast<std::int64_t>(random.below(2)) : i % 2);
    }
  }
};

/// Feature 0 is shared: 1 in class 1, -1 in class 0. Feature 1 + i is 1 in example i, else 0.
inline Tensor features(const std::vector<std::int64_t>& examples, std::int64_t count) {
  const std::int64_t width = 1 + count;
  std::vector<float> x(examples.size() * static_cast<std::size_t>(width), 0.0f);
  for (std::size_t row = 0; row < examples.size(); ++row) {
    float* at = x.data() + row * static_cast<std::size_t>(width);
    at[0] = examples[row] % 2 == 1 ? 1.0f : -1.0f;
    at[1 + examples[row]] = 1.0f;
  }
  return Tensor::from(x, {static_cast<std::int64_t>(examples.size()), width}, cpu_backend());
}

/// What a linear layer, begun at zero, has learned of the toy under `aggregator`.
inline Outcome train(const Aggregator& aggregator, const Settings& settings = {}) {
  const std::int64_t n = settings.examples, distinct = settings.batch / settings.copies;
  const Labels labels(n);
  Parameter weight{"weight", Tensor::zeros({2, 1 + n}, Dtype::f32, cpu_backend()), {}, {}};
  Sgd sgd({&weight}, aggregator, {.learning_rate = settings.learning_rate});
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);

  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    Random random(1, static_cast<std::uint64_t>(epoch));
    if (settings.shuffle) shuffle(order.begin(), order.end(), random);
    for (std::int64_t first = 0; first + distinct <= n; first += distinct) {
      std::vector<std::int64_t> batch, given;
      for (std::int64_t row = 0; row < distinct * settings.copies; ++row) {
        batch.push_back(order[static_cast<std::size_t>(first + row % distinct)]);
        given.push_back(labels.given[static_cast<std::size_t>(batch.back())]);
      }
      const auto rows = static_cast<std::int64_t>(batch.size());
      const Variable x(features(batch, n), Groups(rows, aggregator.groups(rows)));
      backward(
          cross_entropy(linear(x, weight, nullptr), Tensor::from(given, {rows}, cpu_backend())),
          aggregator);
      sgd.step();
    }
  }

  const std::vector<float> w = weight.value.to_vector<float>();
  const auto towards = [&](std::int64_t label, std::int64_t feature) {  // class `label`
    return w[static_cast<std::size_t>(label * (1 + n) + feature)];
  };
  Outcome outcome{.shared = towards(1, 0)};
  for (std::int64_t i = 0; i < n; ++i) {
    outcome.own += std::abs(towards(1, 1 + i)) / static_cast<double>(n);
    const auto at = static_cast<std::size_t>(i);
    if (labels.given[at] == labels.right[at]) continue;
    ++outcome.corrupt;
    const float sign = labels.right[at] == 1 ? 1.0f : -1.0f;
    const auto score = [&](std::int64_t c) { return sign * towards(c, 0) + towards(c, 1 + i); };
    outcome.fitted += score(labels.given[at]) > score(labels.right[at]) ? 1 : 0;
  }
  return outcome;
}

}  // namespace toy
