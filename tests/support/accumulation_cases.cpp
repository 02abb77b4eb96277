#include "tests/support/accumulation_cases.h"

#include <cstdlib>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/support/backend_cases.h"

namespace cograd::testing {
namespace {

/// An op with parameters, at one random shape.
struct Case {
  std::string name;
  Shape x;
  std::vector<Shape> parameters;
  std::function<Variable(const Variable& x, std::vector<Parameter>&)> op;

  std::vector<Tensor> values(Random& random) const {
    std::vector<Tensor> all;
    for (const Shape& shape : parameters) all.push_back(random_f32(shape, random));
    return all;
  }
};

class RandomCases {
 public:
  explicit RandomCases(std::uint64_t seed) : random_(seed, 80) {}

  /// One case of every op.
  std::vector<Case> draw() {
    return {linear_case(Epilogue::none),        linear_case(Epilogue::relu),
            convolution_case(between(1, 3)),    convolution_case(1),
            batch_norm_case(Epilogue::none),    batch_norm_case(Epilogue::relu),
            batch_norm_case(Epilogue::add_relu)};
  }
  /// Within [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }

 private:
  std::int64_t batch() { return between(6, 13); }

  Case linear_case(Epilogue epilogue) {
    const std::int64_t in = between(1, 70), out = between(1, 40);
    return {"linear", {batch(), in}, {{out, in}, {out}}, [epilogue](auto& x, auto& p) {
              return linear(x, p[0], &p[1], epilogue);
            }};
  }

  Case convolution_case(std::int64_t channel_groups) {
    const std::int64_t in = channel_groups * between(1, 24), out = channel_groups * between(1, 24);
    const Pair kernel{between(1, 4), between(1, 4)};
    const ConvGeometry geometry{.stride = {between(1, 2), between(1, 2)},
                                .padding = {between(0, kernel[0] / 2), between(0, kernel[1] / 2)},
                                .dilation = {between(1, 2), 1},
                                .channel_groups = channel_groups};
    return {"conv2d",
            {batch(), in, between(8, 13), between(6, 13)},
            {{out, in / channel_groups, kernel[0], kernel[1]}, {out}},
            [geometry](auto& x, auto& p) { return conv2d(x, p[0], &p[1], geometry); }};
  }

  Case batch_norm_case(Epilogue epilogue) {
    const std::int64_t channels = between(1, 40);
    return {"batch_norm",
            {batch(), channels, between(2, 7), between(2, 7)},
            {{channels}, {channels}},
            [epilogue](auto& x, auto& p) {
              RunningStatistics none;
              return batch_norm(x, p[0], p[1], none, 1e-5, Statistics::per_group, epilogue,
                                epilogue == Epilogue::add_relu ? x : Variable());
            }};
  }

  Random random_;
};

/// How a step reaches each parameter more than once, or once.
struct Uses {
  std::vector<RowRange> micro_batches;  ///< empty: the whole batch at once
  bool shared = false;                  ///< the op is applied twice, with the same parameters
};

struct Outcome {
  std::vector<Parameter> parameters;
  std::vector<Tensor> dx;
};

Variable loss_of(const Case& c, const Uses& uses, const Variable& x, const Groups& groups,
                 std::vector<Parameter>& parameters) {
  std::vector<Variable> ys{c.op(x, parameters)};
  if (uses.shared) ys.push_back(c.op(add(x, x), parameters));
  std::vector<Tensor> upstream;
  for (const Variable& y : ys) {
    Random random(99, upstream.size());
    std::vector<std::int64_t> whole(y.shape().begin(), y.shape().end());
    whole[0] = groups.batch();
    const Tensor factors = random_f32(Shape(std::span<const std::int64_t>(whole)), random);
    upstream.push_back(gradient_like(
        y.value(), factors.rows(groups.first(), groups.first() + groups.rows()).clone()));
  }
  return record("upstream", Tensor::zeros({groups.count()}, Dtype::f32, x.backend()), ys, {},
                [upstream](const Tensor&, Backward& pass) {
                  for (std::size_t i = 0; i < upstream.size(); ++i) {
                    pass.input_gradient(i, upstream[i]);
                  }
                });
}

Outcome run(const Case& c, const Uses& uses, std::int64_t k, const Tensor& x,
            const std::vector<Tensor>& values, Backend& backend) {
  Outcome o;
  for (const Tensor& value : values) {
    o.parameters.emplace_back();
    o.parameters.back().name = "p" + std::to_string(o.parameters.size());
    o.parameters.back().value = value.to(backend).clone();
  }
  const Groups groups(x.size(0), k);
  MedianOfMeans aggregator(k);
  const BackwardOptions options{.measure_coherence = true};
  if (uses.micro_batches.empty()) {
    const Variable leaf = Variable::leaf(x.to(backend).clone(), groups);
    backward(loss_of(c, uses, leaf, groups, o.parameters), aggregator, options);
    o.dx.push_back(leaf.gradient());
    return o;
  }
  Backward pass(aggregator, options);
  for (const RowRange& rows : uses.micro_batches) {
    const Groups part = groups.micro_batch(rows.begin, rows.size());
    const Variable leaf = Variable::leaf(x.rows(rows.begin, rows.end).clone().to(backend), part);
    pass.run(loss_of(c, uses, leaf, part, o.parameters));
    o.dx.push_back(leaf.gradient());
  }
  pass.finish();
  return o;
}

void compare_uses(Backend& fast, const Case& c, const Uses& uses, std::int64_t k, Random& random) {
  const Tensor x = random_f32(c.x, random);
  const std::vector<Tensor> values = c.values(random);
  const Outcome expected = run(c, uses, k, x, values, reference_backend());
  const Outcome actual = run(c, uses, k, x, values, fast);
  for (std::size_t i = 0; i < expected.dx.size(); ++i) {
    check_same(actual.dx[i], expected.dx[i], "input gradient " + std::to_string(i), 1e-4);
  }
  for (std::size_t i = 0; i < expected.parameters.size(); ++i) {
    const Parameter &got = actual.parameters[i], &wanted = expected.parameters[i];
    check_same(got.gradient, wanted.gradient, "gradient of " + wanted.name, 1e-4);
    CHECK(got.norms.squared_mean == Approx(wanted.norms.squared_mean).epsilon(1e-3));
    CHECK(got.norms.mean_squared == Approx(wanted.norms.mean_squared).epsilon(1e-3));
  }
}

/// visit(case, K, cases, random) for cases of every op, three rounds, K = 1 and 3.
template <class Visit>
void for_each_case(std::uint64_t stream, const Visit& visit) {
  const std::uint64_t seed = shape_seed();
  for (std::uint64_t round = 0; round < 3; ++round) {
    RandomCases cases(seed + round);
    Random random(seed + round, stream);
    for (const Case& c : cases.draw()) {
      for (const std::int64_t k : {std::int64_t{1}, std::int64_t{3}}) {
        CAPTURE(seed, round, c.name, c.x.str(), c.parameters[0].str(), k);
        visit(c, k, cases, random);
      }
    }
  }
}

}  // namespace

std::uint64_t shape_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("COGRAD_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }();
  return seed;
}

void check_accumulation(Backend& fast) {
  for_each_case(81, [&](const Case& c, std::int64_t k, RandomCases& cases, Random& random) {
    const std::int64_t batch = c.x[0];
    const std::int64_t a = cases.between(1, batch - 2), b = cases.between(a + 1, batch - 1);
    const std::vector<RowRange> parts{{0, a}, {a, b}, {b, batch}};
    for (const Uses& uses : {Uses{parts, false}, Uses{parts, true}, Uses{{}, true}}) {
      CAPTURE(uses.shared, uses.micro_batches.size());
      compare_uses(fast, c, uses, k, random);
    }
  });
}

void check_random_shapes(Backend& fast) {
  for_each_case(82, [&](const Case& c, std::int64_t k, RandomCases&, Random& random) {
    const Tensor x = random_f32(c.x, random);
    compare(
        fast, {x}, c.values(random), k, [&](auto& in, auto& p) { return c.op(in[0], p); }, 1e-4,
        Upstream::like_output);
  });
}

}  // namespace cograd::testing
