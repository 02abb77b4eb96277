#include "cograd/experiments/train/contributions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include "cograd/engine/threads.h"
#include "cograd/layers/mixed_precision.h"

namespace cograd {
namespace {

constexpr std::uint64_t kStreams = std::uint64_t{1} << 48;  // one for each null world

/// Groups of one example.
class ExampleMean final : public Aggregator {
 public:
  std::string name() const override { return "mean of examples"; }
  std::int64_t groups(std::int64_t batch_size) const override { return batch_size; }
};

/// products[i] += <sum_j g_j, g_i> over one parameter's gradients [B, shape of parameter].
void add_products(const Tensor& gradients, std::vector<double>& products) {
  const bool on_host = gradients.backend().device().type == DeviceType::cpu;
  const Tensor stack = on_host ? gradients : gradients.to(cpu_backend());
  const auto b = std::ssize(products);
  const std::int64_t n = stack.numel() / b;
  const auto* values = stack.data<float>();
  std::vector<double> sum(static_cast<std::size_t>(n), 0.0);
  parallel_blocks(n, [&](std::int64_t begin, std::int64_t size) {
    for (std::int64_t i = 0; i < b; ++i) {
      const float* row = values + i * n;
      for (std::int64_t c = begin; c < begin + size; ++c) {
        sum[static_cast<std::size_t>(c)] += row[c];
      }
    }
  });
  parallel_ranges(b, b * n > kThreadBlock, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const float* row = values + i * n;
      products[static_cast<std::size_t>(i)] += std::inner_product(row, row + n, sum.begin(), 0.0);
    }
  });
}

/// The 5th and the 95th percentile of 100 values, by nearest rank, around that of the real world.
Contribution within(double real, std::vector<double> nulls) {
  std::sort(nulls.begin(), nulls.end());
  const std::size_t tail = nulls.size() / 20;
  return {real, nulls[tail - 1], nulls[nulls.size() - tail]};
}

}  // namespace

bool has_example_gradients(Module& model) {
  return model.counters().empty() && model.state().size() == model.parameters().size();
}

std::vector<double> example_contributions(Module& model, const Batch& batch, Dtype precision) {
  const std::int64_t b = batch.images.size(0);
  std::vector<double> products(static_cast<std::size_t>(b), 0.0);
  const Variable images(batch.images, Groups(b, b));
  backward(cross_entropy(forward_in(precision, model, images), batch.labels), ExampleMean(),
           {.observe = [&](const Parameter&, const Tensor& gradients) {
             add_products(gradients, products);
           }});
  const double all = std::accumulate(products.begin(), products.end(), 0.0);  // B^2 <g, g>
  if (!std::isfinite(all) || all <= 0.0) return {};
  for (double& product : products) product /= all;
  return products;
}

Contributions::Contributions(const std::vector<bool>& pristine, std::uint64_t seed)
    : worlds_(1 + kNullWorlds, World{pristine}) {
  for (std::size_t w = 1; w < worlds_.size(); ++w) {
    Random random(seed, kStreams + w);
    shuffle(worlds_[w].pristine.begin(), worlds_[w].pristine.end(), random);
  }
}

ContributionRow Contributions::add(std::span<const double> examples,
                                   std::span<const std::int64_t> indices, double steps) {
  std::vector<double> values, integrals;  // of all worlds
  std::int64_t pristine = 0;
  for (World& world : worlds_) {
    double sum = 0.0;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const bool counts = world.pristine[static_cast<std::size_t>(indices[i])];
      sum += counts ? examples[i] : 0.0;
      pristine += counts && &world == worlds_.data() ? 1 : 0;
    }
    world.integral += steps * sum;
    world.corrupt_integral += steps * (1.0 - sum);
    values.push_back(sum);
    integrals.push_back(world.integral);
  }
  return {.f = within(values[0], {values.begin() + 1, values.end()}),
          .pristine_share = static_cast<double>(pristine) / static_cast<double>(examples.size()),
          .integral = within(integrals[0], {integrals.begin() + 1, integrals.end()}),
          .corrupt_integral = worlds_[0].corrupt_integral};
}

std::vector<double> Contributions::integrals() const {
  if (worlds_[0].integral == 0.0 && worlds_[0].corrupt_integral == 0.0) return {};
  std::vector<double> integrals{worlds_[0].corrupt_integral};
  for (const World& world : worlds_) integrals.push_back(world.integral);
  return integrals;
}

void Contributions::restore(const std::vector<double>& integrals) {
  if (integrals.empty()) return;
  require<ValueError>(integrals.size() == worlds_.size() + 1,
                      "[contributions] {} integrals: expected {}", integrals.size(),
                      worlds_.size() + 1);
  worlds_[0].corrupt_integral = integrals[0];
  for (std::size_t w = 0; w < worlds_.size(); ++w) worlds_[w].integral = integrals[w + 1];
}

}  // namespace cograd
