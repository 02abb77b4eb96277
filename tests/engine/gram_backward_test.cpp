// Aggregators by inner products, over dense layers: the products come from those of the rows.
#include <fmt/format.h>

#include <cmath>

#include "cograd/engine/aggregation/aggregator_registry.h"
#include "cograd/engine/aggregation/gram/gram_matrix.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {
namespace {

constexpr std::int64_t kRows = 10;  // three groups are of unequal size

/// Dense layers, of which the last is too small for products from rows.
struct DenseNet {
  DenseNet(Backend& backend, Dtype dtype) {
    Random random(91);
    for (const Shape& shape : {Shape{67, 61}, Shape{67}, Shape{67, 67}, Shape{5, 67}}) {
      p.push_back(parameter(fmt::format("p{}", p.size()), shape, random));
      p.back().value = p.back().value.to(dtype).to(backend);
    }
    x = normal({kRows, 61}, random).to(dtype).to(backend);
    std::vector<std::int64_t> classes(kRows);
    for (std::int64_t i = 0; i < kRows; ++i) classes[static_cast<std::size_t>(i)] = i % 5;
    labels = Tensor::from(classes, {kRows}, reference_backend()).to(backend);
  }

  /// Of some rows; the second layer is used twice if `shared`.
  Variable loss(const RowRange& rows, const Groups& groups, bool shared) {
    Variable y =
        linear(Variable(x.rows(rows.begin, rows.end), groups), p[0], &p[1], Epilogue::relu);
    for (int use = 0; use < (shared ? 2 : 1); ++use) y = relu(linear(y, p[2], nullptr));
    return cross_entropy(linear(y, p[3], nullptr), labels.rows(rows.begin, rows.end));
  }
  Variable loss(const Groups& groups, bool shared) { return loss({0, kRows}, groups, shared); }

  std::vector<Parameter> p;
  Tensor x, labels;
};

}  // namespace

TEST_CASE("inner products of a dense layer's gradients come from those of its rows", "[own]") {
  Random random(92);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    for (const std::int64_t k : {1, 2, 3, 7}) {
      const std::int64_t rows = 7 + k, in = 37 + k, out = 65;
      CAPTURE(k, name_of(dtype));
      const Groups groups(rows, k);
      const Tensor x = normal({rows, in}, random).to(dtype),
                   dy = normal({rows, out}, random).to(dtype);
      Tensor gradients = Tensor::empty({k, out, in}, Dtype::f64, reference_backend());
      reference_backend().linear_weight_gradient(x.to(Dtype::f64), dy.to(Dtype::f64), groups,
                                                 {gradients, Write::overwrite});
      const GramMatrix expected = GramMatrix::of(k, gradients.to_vector<double>());
      Tensor products = Tensor::full({k, k}, 3.0, Dtype::f64, cpu_backend());
      REQUIRE(cpu_backend().linear_inner_products(x.to(cpu_backend()), dy.to(cpu_backend()), groups,
                                                  products));
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t j = 0; j < k; ++j) {
          const double got = products.data<double>()[i * k + j] - 3.0;
          CHECK(std::abs(got - expected(i, j)) <= 1e-6 * expected.norm(i) * expected.norm(j));
        }
      }
    }
  }
  Tensor products = Tensor::full({2, 2}, 3.0, Dtype::f64, cpu_backend());
  const Tensor many = random_f32({40, 37}, random).to(cpu_backend());
  CHECK_FALSE(cpu_backend().linear_inner_products(many, many, Groups(40, 2), products));
  CHECK(products.to_vector<double>() == std::vector<double>(4, 3.0));
}

TEST_CASE("rules by inner products do not make the gradients of dense layers", "[own]") {
  Backend& cpu = cpu_backend();
  const Groups groups(kRows, 3);
  for (const char* name : {"geomed:3", "upgrad:3", "pcgrad:3", "clipping:3,0.1,2"}) {
    const auto rule = parse_aggregator(name);
    for (const bool shared : {false, true}) {
      DenseNet expected(reference_backend(), Dtype::f64);
      backward(expected.loss(groups, shared), *rule);
      DenseNet net(cpu, Dtype::f32);
      const auto check = [&](const std::string& way) {
        CAPTURE(name, shared, way);
        for (std::size_t i = 0; i < net.p.size(); ++i) {
          CHECK(relative_error(net.p[i].gradient, expected.p[i].gradient) <= 2e-5);
        }
      };
      for (const std::size_t budget : {std::size_t{0}, std::size_t{1} << 20}) {
        const Variable loss = net.loss(groups, shared);
        cpu.allocator().reset_peak();
        const std::size_t before = cpu.allocator().stats().in_use;
        backward(loss, *rule, {.gram_budget = budget});
        check(fmt::format("budget {}", budget));
        if (shared) continue;  // a sum over uses has products between them
        const std::size_t all = (67 * 61 + 67 + 67 * 67 + 5 * 67) * sizeof(float);
        CHECK(cpu.allocator().stats().peak - before < 2 * all);
      }
      Backward pass(*rule);
      for (const RowRange& r : {RowRange{3, 7}, RowRange{0, 3}, RowRange{7, kRows}}) {
        pass.run(net.loss(r, groups.micro_batch(r.begin, r.size()), shared));
      }
      pass.finish();
      check("micro-batches");
    }
  }
}

TEST_CASE("bf16 activations come to the same gradient without those of groups", "[own]") {
  Random random(93);
  const Groups groups(kRows, 3);
  const Tensor x = normal({kRows, 61}, random).to(Dtype::bf16).to(cpu_backend());
  const Tensor labels = Tensor::from(std::vector<std::int64_t>(kRows, 3), {kRows}, cpu_backend());
  Parameter w = parameter("w", {67, 61}, random);
  w.value = w.value.to(Dtype::f32).to(cpu_backend());
  const auto rule = parse_aggregator("upgrad:3");
  const auto loss = [&] {
    return cross_entropy(cast(linear(Variable(x, groups), w, nullptr), Dtype::f32), labels);
  };
  Backward stored(*rule);  // as a micro-batch
  stored.run(loss());
  stored.finish();
  const Tensor expected = w.gradient.clone();
  backward(loss(), *rule);
  CHECK(relative_error(w.gradient, expected) <= 1e-5);
}

}  // namespace cograd::testing
