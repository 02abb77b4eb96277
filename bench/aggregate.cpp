// aggregate RULE K [BACKEND] < GRADIENTS: the gradient that a backward pass makes of K group
// gradients. Reads K rows of doubles in the machine's bytes, writes one. The rows are the inputs of a
// linear layer with one output, whose group gradients they therefore are. BACKEND is reference (in
// double, the default) or cpu.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/gram/krum.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"

namespace {

using namespace cograd;

std::vector<double> all_of(std::FILE* in) {
  std::vector<double> values, some(1 << 16);
  for (std::size_t n = 0; (n = std::fread(some.data(), sizeof(double), some.size(), in)) > 0;) {
    values.insert(values.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return values;
}

std::vector<double> aggregated(const Aggregator& rule, const std::vector<double>& gradients,
                               std::int64_t k, Backend& backend, Dtype dtype) {
  const std::int64_t n = std::ssize(gradients) / k;
  require<ShapeError>(k > 0 && n > 0 && n * k == std::ssize(gradients),
                      "[aggregate] {} numbers: expected K = {} rows", gradients.size(), k);
  require<ValueError>(rule.groups(k) == k, "[aggregate] {} takes {} groups, not K = {}",
                      rule.name(), rule.groups(k), k);
  const auto on_backend = [&](const std::vector<double>& values, const Shape& shape) {
    return Tensor::from(values, shape, reference_backend()).to(dtype).to(backend);
  };
  Parameter weight;
  weight.name = "weight";
  weight.value = Tensor::zeros({1, n}, dtype, backend);
  const Variable x(on_backend(gradients, {k, n}), Groups(k, k));
  const Variable y = linear(x, weight, nullptr);
  const Variable loss = record("sum", Tensor::zeros({k}, dtype, backend), {y}, {},
                               [&](const Tensor& seeds, Backward& pass) {
                                 // A GramAggregator's second sweep weighs the losses of the groups.
                                 pass.input_gradient(0, seeds.reshape({k, 1}).clone());
                               });
  backward(loss, rule);
  return weight.gradient.to(Dtype::f64).to_vector<double>();
}

}  // namespace

int main(int argc, char** argv) try {
  // ByzFL sums K - f - 1 distances.
  register_aggregator({"krum_of", "K,F,M,N", [](std::span<const double> n) {
                         const KrumOptions options{.byzantine = whole_number(n[1]),
                                                   .selected = whole_number(n[2]),
                                                   .neighbours = whole_number(n[3])};
                         return std::make_unique<Krum>(whole_number(n[0]), options);
                       }});
  require<ValueError>(
      argc == 3 || argc == 4,
      "[aggregate] expected RULE K [reference|cpu], and K rows of doubles on stdin");
  const std::string backend = argc == 4 ? argv[3] : "reference";
  require<ValueError>(backend == "reference" || backend == "cpu",
                      "[aggregate] backend {}: expected reference or cpu", backend);
  const bool in_double = backend == "reference";
  const std::vector<double> gradient = aggregated(
      *parse_aggregator(argv[1]), all_of(stdin), std::atoll(argv[2]),
      in_double ? reference_backend() : cpu_backend(), in_double ? Dtype::f64 : Dtype::f32);
  std::fwrite(gradient.data(), sizeof(double), gradient.size(), stdout);
  return 0;
} catch (const Error& error) {
  fmt::print(stderr, "aggregate: error: {}\n", error.what());
  return 1;
}
