// The names of optimizers: what --optimizer of every study reads.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/optim/optimizer.h"

namespace cograd {

/// Settings that do not depend on the optimizer.
struct OptimizerSettings {
  double learning_rate = 0.1;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool force_momentum_with_rolling = false;  ///< SgdOptions::force_momentum_with_rolling
};

/// How a text becomes an optimizer: "adam:0.9,0.999" is the form of name "adam" with numbers 0.9
/// and 0.999.
struct OptimizerForm {
  std::string name;     ///< letters, digits and _
  std::string numbers;  ///< as help shows them: "BETA1,BETA2"; empty for none
  /// Gets as many numbers as `numbers` names. Throws ValueError for numbers out of range.
  std::function<std::unique_ptr<Optimizer>(std::vector<Parameter*>, const Aggregator&,
                                           const OptimizerSettings&, std::span<const double>)>
      make;
  bool takes_momentum = false;         ///< false: a momentum other than 0 is refused
  double usual_learning_rate = 0.001;  ///< of studies without --lr
};

/// Makes a form known to make_optimizer(), for programs with optimizers of their own: call it first
/// in main(). Throws ValueError for a name that is taken or none.
void register_optimizer(OptimizerForm form);
/// All forms, as help shows them: "sgd", "adam", "adam:BETA1,BETA2", ...
std::vector<std::string> optimizer_forms();
/// Throws ValueError naming all forms if none fits.
OptimizerForm optimizer_form(std::string_view text);

/// Keeps the reference to `aggregator`. Throws ValueError for an unknown text, or for settings that
/// the optimizer refuses.
std::unique_ptr<Optimizer> make_optimizer(std::string_view text, std::vector<Parameter*> parameters,
                                          const Aggregator& aggregator,
                                          const OptimizerSettings& settings);

}  // namespace cograd
