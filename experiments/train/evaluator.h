// Evaluation: the loss and the prediction of every example of a set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cograd/data/loader.h"
#include "cograd/experiments/record/run_record.h"
#include "cograd/experiments/train/team.h"
#include "cograd/layers/module.h"

namespace cograd {

/// The result of a model on one example.
struct ExampleResult {
  float loss = 0.0f;  ///< cross-entropy of its label
  /// Number of classes with a larger logit than the label; 0: correct; -1: the image was not read.
  std::int32_t rank = -1;
  /// Norm of softmax(logits) - onehot(label): EL2N of Paul, Ganguli, Dziugaite, "Deep learning on a
  /// data diet", NeurIPS 2021.
  float error_norm = 0.0f;
  /// Norm of the gradient of this example's loss in weight and bias of the last fully connected
  /// layer: error_norm sqrt(||features||^2 + 1). NaN for a model that ends in none.
  float last_layer_gradient = 0.0f;

  /// Logit of the label minus the largest other logit; NaN if there is no other class.
  float margin = 0.0f;

  bool was_read() const { return rank >= 0; }
};

/// Mean loss and accuracies over the `chosen` of `results`, without images that were not read.
Evaluation summarize(const std::vector<ExampleResult>& results,
                     const std::vector<std::int64_t>& chosen);
/// The same over all results.
Evaluation summarize(const std::vector<ExampleResult>& results);

/// Evaluates a model on all examples of a data set, in the set's order. A small set is loaded once
/// and stays on the backend. A team divides the examples among its ranks.
class Evaluator {
 public:
  /// `workers` and `skip_broken` are passed to the loader; `team` must outlive this.
  Evaluator(DatasetPtr data, Backend& backend, int workers,
            std::function<void(const std::string&)> skip_broken = {}, Team* team = nullptr);
  /// Evaluates with activations of type `precision` in evaluation mode, then restores the model's
  /// mode.
  std::vector<ExampleResult> operator()(Module& model, Dtype precision = Dtype::f32);

 private:
  std::vector<ExampleResult> evaluate(Module& model, Dtype precision);
  std::vector<ExampleResult> of_all_ranks(const std::vector<ExampleResult>& mine);
  template <class Use>
  void for_each_batch(const Use& use);

  std::int64_t size_;  // of the whole set
  DatasetPtr data_;    // this rank's part of it
  Team* team_;         // null: this process alone
  Backend* backend_;
  int workers_;
  std::function<void(const std::string&)> skip_broken_;
  bool keep_;
  std::vector<Batch> kept_;
};

}  // namespace cograd
