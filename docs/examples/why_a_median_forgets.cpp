// Why a median forgets: a linear layer learns the same noisy labels by three rules.
#include <fmt/format.h>

#include "toy.h"

namespace {

void print(const cograd::Aggregator& rule, const toy::Settings& settings) {
  const toy::Outcome o = toy::train(rule, settings);
  fmt::print("{:<4}  shared weight {:.3f}  own weights {:.3f}  corrupt labels fitted {}/{}\n",
             rule.name(), o.shared, o.own, o.fitted, o.corrupt);
}

}  // namespace

int main() {
  const toy::Settings few, many{.examples = 1200};
  for (const toy::Settings& settings : {few, many}) {
    fmt::print("{} examples, {} steps an epoch\n", settings.examples,
               settings.examples / settings.batch);
    print(cograd::Mean(), settings);
    print(cograd::MedianOfMeans(3), settings);
    print(cograd::RollingMedian(3), settings);
  }
}
