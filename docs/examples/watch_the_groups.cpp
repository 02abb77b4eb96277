// The K gradients that become one, and the memory that they take meanwhile.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/allocator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"

namespace {

using namespace cograd;

Tensor normal(const Shape& shape, double std) {
  Random random(1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(static_cast<float>(std * random.normal()));
  }
  return Tensor::from(values, shape, reference_backend());
}

/// Two convolutions of 9 and 36 KiB of weights over a batch of 12 small images, and ten classes.
struct Network {
  Parameter small{"small", normal({16, 16, 3, 3}, 0.1), {}, {}};
  Parameter large{"large", normal({64, 16, 3, 3}, 0.1), {}, {}};
  Parameter last{"last", normal({10, 64}, 0.1), {}, {}};

  /// The loss of the first `rows` examples, which lie in `groups`.
  Variable loss(const Groups& groups) {
    const std::int64_t n = groups.rows();
    const Variable x(normal({n, 16, 4, 4}, 1.0), groups);
    const ConvGeometry same{.padding = {1, 1}};
    const Variable h = conv2d(relu(conv2d(x, small, nullptr, same)), large, nullptr, same);
    std::vector<std::int64_t> labels(static_cast<std::size_t>(n), 3);
    return cross_entropy(linear(flatten(adaptive_avg_pool2d(h, {1, 1})), last, nullptr),
                         Tensor::from(labels, {n}, reference_backend()));
  }
};

/// KiB that `run` holds at most beyond what is held before.
template <class Run>
double peak(const Run& run) {
  Allocator& memory = reference_backend().allocator();
  const std::size_t before = memory.stats().in_use;
  memory.reset_peak();
  run();
  return static_cast<double>(memory.stats().peak - before) / 1024;
}

double backward_peak(const Aggregator& rule, BackwardOptions options = {}) {
  Network net;
  const Groups groups(12, rule.groups(12));
  backward(net.loss(groups), rule);  // the gradients themselves exist from now on
  const Variable loss = net.loss(groups);
  return peak([&] { backward(loss, rule, options); });
}

/// KiB that stay between the micro-batches of a batch.
double kept_between_micro_batches(const Aggregator& rule) {
  Network net;
  const Groups groups(12, rule.groups(12));
  Backward pass(rule);
  const std::size_t before = reference_backend().allocator().stats().in_use;
  pass.run(net.loss(groups.micro_batch(0, 6)));
  const std::size_t kept = reference_backend().allocator().stats().in_use - before;
  pass.run(net.loss(groups.micro_batch(6, 6)));
  pass.finish();
  return static_cast<double>(kept) / 1024;
}

}  // namespace

int main() {
  Network net;
  const MedianOfMeans m3(3);
  const auto print = [](const Parameter& p, const Tensor& groups) {
    if (p.name != "last") return;
    const auto g = groups.to_vector<float>();
    const auto n = static_cast<std::size_t>(p.value.numel());
    fmt::print("groups of 4 examples: {:.4f}, {:.4f}, {:.4f}\n", g[0], g[n], g[2 * n]);
  };
  backward(net.loss(Groups(12, 3)), m3, {.observe = print});
  fmt::print("their median, in Parameter::gradient: {:.4f}\n",
             net.last.gradient.to_vector<float>()[0]);

  const double mean = backward_peak(Mean());
  fmt::print("\nKiB beyond the mean's backward pass\n");
  fmt::print("m3                     {:6.1f}\n", backward_peak(m3) - mean);
  fmt::print("per example, K = 12    {:6.1f}\n", backward_peak(MedianOfMeans(12)) - mean);
  fmt::print("KiB kept between two micro-batches\n");
  fmt::print("m3                     {:6.1f}\n", kept_between_micro_batches(m3));
}
