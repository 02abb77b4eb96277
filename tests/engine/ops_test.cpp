// Every op against finite differences, in one group and in several, and its refusals.
#include "cograd/engine/ops/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {
namespace {

/// Checks the op built by `op` from leaves of the given tensors, under a random projection.
void check_op(std::vector<Tensor> inputs, std::vector<Parameter*> parameters, std::int64_t groups,
              const std::function<Variable(const std::vector<Variable>&)>& op, Random& random) {
  GradientCheck check;
  check.inputs = std::move(inputs);
  check.parameters = std::move(parameters);
  check.groups = groups;
  Shape shape;
  {
    const NoGradient guard;
    std::vector<Variable> leaves;
    for (const Tensor& t : check.inputs) {
      leaves.push_back(Variable::leaf(t.clone(), Groups(t.size(0), groups)));
    }
    shape = op(leaves).shape();
  }
  const Tensor weight = normal(shape, random);
  check.loss = [&](const std::vector<Variable>& x) { return projected_loss(op(x), weight); };
  check.run();
}

}  // namespace

TEST_CASE("linear: finite differences", "[ops]") {
  for (std::int64_t groups : {1, 3, 5}) {
    for (auto [with_bias, epilogue] : {std::pair{true, Epilogue::none},
                                       {false, Epilogue::none},
                                       {true, Epilogue::relu},
                                       {false, Epilogue::relu}}) {
      CAPTURE(groups, with_bias, epilogue);
      Random random(11, static_cast<std::uint64_t>(groups));
      Parameter w = parameter("weight", {4, 7}, random);
      Parameter b = parameter("bias", {4}, random);
      std::vector<Parameter*> parameters{&w};
      if (with_bias) parameters.push_back(&b);
      check_op(
          {normal({5, 7}, random)}, parameters, groups,
          [&, with = with_bias ? &b : nullptr, then = epilogue](const auto& x) {
            return linear(x[0], w, with, then);
          },
          random);
    }
  }
}

TEST_CASE("conv2d: finite differences", "[ops]") {
  struct Case {
    Shape x, w;
    ConvGeometry geometry;
  };
  const std::vector<Case> cases{
      {{3, 2, 5, 6}, {3, 2, 3, 3}, {.padding = {1, 1}}},
      {{3, 3, 7, 6}, {2, 3, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
      {{3, 2, 5, 5}, {3, 2, 1, 1}, {.stride = {2, 2}}},
      {{3, 2, 4, 7}, {2, 2, 1, 5}, {.padding = {0, 2}}},
      {{3, 2, 7, 4}, {2, 2, 5, 1}, {.stride = {1, 2}, .padding = {2, 0}}},
      {{3, 4, 5, 5}, {6, 2, 3, 3}, {.padding = {1, 0}, .channel_groups = 2}},
      {{3, 3, 5, 4}, {3, 1, 2, 2}, {.padding = {1, 1}, .channel_groups = 3}},
      {{3, 2, 7, 7}, {2, 2, 3, 2}, {.padding = {2, 1}, .dilation = {2, 3}}},
  };
  for (const Case& c : cases) {
    for (std::int64_t groups : {1, 2, 3}) {
      CAPTURE(c.x.str(), c.w.str(), groups);
      Random random(12, static_cast<std::uint64_t>(groups));
      Parameter w = parameter("weight", c.w, random);
      Parameter b = parameter("bias", {c.w[0]}, random);
      check_op(
          {normal(c.x, random)}, {&w, &b}, groups,
          [&](const auto& x) { return conv2d(x[0], w, &b, c.geometry); }, random);
    }
  }
}

TEST_CASE("batch_norm: finite differences through the statistics", "[ops]") {
  for (Statistics statistics : {Statistics::per_group, Statistics::whole_batch}) {
    // With whole-batch statistics an example touches every group's loss, so only one group is a
    // loss that finite differences of single groups can see.
    for (std::int64_t groups : {1, 2, 3}) {
      if (statistics == Statistics::whole_batch && groups > 1) continue;
      CAPTURE(groups);
      Random random(13, static_cast<std::uint64_t>(groups));
      Parameter gamma = parameter("weight", {3}, random);
      Parameter beta = parameter("bias", {3}, random);
      RunningStatistics none;
      check_op(
          {normal({7, 3, 3, 2}, random, reference_backend(), Dtype::f64, 2.0, 0.7)},
          {&gamma, &beta}, groups,
          [&](const auto& x) { return batch_norm(x[0], gamma, beta, none, 1e-3, statistics); },
          random);
    }
  }
}

TEST_CASE("batch_norm with whole-batch statistics: groups split the parameter gradients", "[ops]") {
  Random random(14);
  const Tensor x = normal({6, 2, 3, 3}, random);
  const Tensor weight = normal({6, 2, 3, 3}, random);
  Parameter gamma = parameter("weight", {2}, random);
  Parameter beta = parameter("bias", {2}, random);
  RunningStatistics none;
  const auto run = [&](std::int64_t groups) {
    const Variable leaf = Variable::leaf(x, Groups(6, groups));
    MedianOfMeans rule(groups);
    backward(
        projected_loss(batch_norm(leaf, gamma, beta, none, 1e-5, Statistics::whole_batch), weight),
        rule);
    return std::pair(leaf.gradient(), gamma.gradient.clone());
  };
  const auto [dx_one, dgamma_one] = run(1);
  const auto [dx_two, dgamma_two] = run(2);
  CHECK(relative_error(dx_two, dx_one) <= 1e-12);  // one set of statistics: the same dx
  // Of two groups the median is the mean, and the groups add up to the whole.
  const auto whole = dgamma_one.to_vector<double>();
  auto halves = dgamma_two.to_vector<double>();
  for (double& v : halves) v *= 2;
  CHECK(relative_error(halves, whole) <= 1e-12);
}

TEST_CASE("batch_norm_inference: finite differences", "[ops]") {
  for (std::int64_t groups : {1, 3}) {
    Random random(15, static_cast<std::uint64_t>(groups));
    Parameter gamma = parameter("weight", {3}, random);
    Parameter beta = parameter("bias", {3}, random);
    RunningStatistics running;
    running.mean = normal({3}, random);
    running.variance = Tensor::from(std::vector<double>{0.4, 1.5, 2.5}, {3}, reference_backend());
    check_op(
        {normal({4, 3, 2, 3}, random)}, {&gamma, &beta}, groups,
        [&](const auto& x) { return batch_norm_inference(x[0], gamma, beta, running, 1e-5); },
        random);
  }
}

TEST_CASE("batch_norm with an epilogue: finite differences", "[ops]") {
  for (std::int64_t groups : {1, 3}) {
    for (Epilogue kind : {Epilogue::relu, Epilogue::add_relu}) {
      CAPTURE(groups, static_cast<int>(kind));
      Random random(16, static_cast<std::uint64_t>(groups));
      Parameter gamma = parameter("weight", {3}, random);
      Parameter beta = parameter("bias", {3}, random);
      RunningStatistics none, running;
      running.mean = normal({3}, random);
      running.variance = Tensor::from(std::vector<double>{0.4, 1.5, 2.5}, {3}, reference_backend());
      const auto residual = [&](const auto& x) {
        return kind == Epilogue::add_relu ? x[1] : Variable();
      };
      const Tensor image = normal({7, 3, 3, 2}, random), other = normal({7, 3, 3, 2}, random);
      const std::vector<Tensor> inputs =
          kind == Epilogue::add_relu ? std::vector{image, other} : std::vector{image};
      check_op(
          inputs, {&gamma, &beta}, groups,
          [&](const auto& x) {
            return batch_norm(x[0], gamma, beta, none, 1e-3, Statistics::per_group, kind,
                              residual(x));
          },
          random);
      check_op(
          inputs, {&gamma, &beta}, groups,
          [&](const auto& x) {
            return batch_norm_inference(x[0], gamma, beta, running, 1e-5, kind, residual(x));
          },
          random);
    }
  }
}

TEST_CASE("batch_norm refuses a residual of another shape", "[ops]") {
  Random random(17);
  Parameter gamma = parameter("weight", {3}, random), beta = parameter("bias", {3}, random);
  RunningStatistics none;
  const Variable x(normal({4, 3, 2, 2}, random)), small(normal({4, 3, 2, 1}, random));
  CHECK_THROWS_AS(
      batch_norm(x, gamma, beta, none, 1e-5, Statistics::per_group, Epilogue::add_relu, small),
      ShapeError);
}

TEST_CASE("cast: gradients come back in the input's type", "[ops]") {
  Random random(18);
  check_op(
      {normal({3, 4}, random)}, {}, 1, [](const auto& x) { return cast(x[0], Dtype::f64); },
      random);
  const Variable leaf = Variable::leaf(normal({3, 4}, random));
  const Variable y = cast(leaf, Dtype::f32);
  CHECK(y.value().dtype() == Dtype::f32);
  const Tensor ones = Tensor::full({3, 4}, 1.0, Dtype::f32, reference_backend());
  Mean mean;
  backward(record("upstream", Tensor::zeros({1}, Dtype::f32, reference_backend()), {y}, {},
                  [&](const Tensor&, Backward& pass) { pass.input_gradient(0, ones); }),
           mean);
  CHECK(leaf.gradient().dtype() == Dtype::f64);
  CHECK_THROWS_AS(cast(leaf, Dtype::bf16), DtypeError);  // the reference does not compute in it
}

TEST_CASE("pooling: finite differences", "[ops]") {
  const std::vector<PoolGeometry> geometries{
      {.kernel = {2, 2}, .stride = {2, 2}},
      {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
      {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}, .ceil_mode = true},
      {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = false},
      {.kernel = {3, 3},
       .stride = {2, 2},
       .padding = {1, 1},
       .ceil_mode = true,
       .count_include_pad = false},
  };
  for (std::size_t i = 0; i < geometries.size(); ++i) {
    CAPTURE(i);
    Random random(16, i);
    check_op(
        {spaced({2, 2, 6, 5}, random)}, {}, 1,
        [&](const auto& x) { return max_pool2d(x[0], geometries[i]); }, random);
    check_op(
        {normal({2, 2, 6, 5}, random)}, {}, 2,
        [&](const auto& x) { return avg_pool2d(x[0], geometries[i]); }, random);
  }
  for (const Pair output : {Pair{1, 1}, Pair{3, 2}, Pair{7, 7}, Pair{4, 9}}) {
    CAPTURE(output[0], output[1]);
    Random random(17);
    check_op(
        {normal({2, 3, 5, 4}, random)}, {}, 2,
        [&](const auto& x) { return adaptive_avg_pool2d(x[0], output); }, random);
  }
}

TEST_CASE("element-wise ops and reshapes: finite differences", "[ops]") {
  Random random(18);
  check_op(
      {spaced({3, 2, 3, 4}, random)}, {}, 3, [](const auto& x) { return relu(x[0]); }, random);
  check_op(
      {normal({3, 2, 4}, random), normal({3, 2, 4}, random)}, {}, 1,
      [](const auto& x) { return add(x[0], x[1]); }, random);
  check_op(
      {spaced({3, 2, 4}, random), Tensor::full({3, 2, 4}, 0.01, Dtype::f64, reference_backend())},
      {}, 1, [](const auto& x) { return add_relu(x[0], x[1]); }, random);
  check_op(
      {normal({4, 6}, random)}, {}, 2, [](const auto& x) { return dropout(x[0], 0.4, 5, 6); },
      random);
  check_op(
      {normal({2, 1, 3, 2}, random), normal({2, 4, 3, 2}, random), normal({2, 2, 3, 2}, random)},
      {}, 2, [](const auto& x) { return concat(x); }, random);
  check_op(
      {normal({3, 2, 2, 3}, random)}, {}, 1, [](const auto& x) { return flatten(x[0]); }, random);
}

TEST_CASE("cross_entropy: finite differences with and without smoothing", "[ops]") {
  const std::vector<std::int64_t> labels{2, 0, 4, 1, 1, 3, 2};
  for (double smoothing : {0.0, 0.1, 1.0}) {
    for (std::int64_t groups : {1, 3}) {
      CAPTURE(smoothing, groups);
      Random random(19);
      const Tensor target = Tensor::from(labels, {7}, reference_backend());
      GradientCheck check;
      check.inputs = {normal({7, 5}, random, reference_backend(), Dtype::f64, 2.0)};
      check.groups = groups;
      check.loss = [&](const auto& x) { return cross_entropy(x[0], target, smoothing); };
      check.run();
    }
  }
}

TEST_CASE("cross_entropy: infinite logits give the limit, and never a plausible number", "[ops]") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  struct Case {
    std::vector<double> logits;
    std::int64_t label;
    double smoothing, loss;
    std::vector<double> gradient;  // empty: there is none
  };
  const double p = 1.0 / (1.0 + std::exp(1.0)), q = 1.0 - p;  // softmax of 0 and 1
  const std::vector<Case> cases{
      {{-kInf, 0.0}, 1, 0.0, 0.0, {0.0, 0.0}},
      {{0.0, -kInf, 1.0}, 0, 0.0, -std::log(p), {p - 1.0, 0.0, q}},
      {{-kInf, 0.0, -kInf, -kInf}, 1, 0.0, 0.0, {0.0, 0.0, 0.0, 0.0}},
      {{0.0, -kInf, 1.0}, 1, 0.0, kInf, {p, -1.0, q}},
      {{0.0, -kInf, 1.0}, 0, 0.3, kInf, {p - 0.8, -0.1, q - 0.1}},
      {{0.0, -kInf, 1.0}, 1, 1.0, kInf, {p - 1.0 / 3, -1.0 / 3, q - 1.0 / 3}},
      {{-1e30, 0.0}, 1, 0.0, 0.0, {0.0, 0.0}},
      {{kInf, 0.0}, 1, 0.0, kInf, {}},
      {{kInf, 0.0}, 0, 0.0, kInf, {}},
      {{-kInf, -kInf}, 0, 0.0, kInf, {}},
      {{std::nan(""), 0.0}, 1, 0.0, std::nan(""), {}},
      {{0.0, std::nan("")}, 0, 0.1, std::nan(""), {}}};
  for (const auto& [backend, dtype] :
       {std::pair{&reference_backend(), Dtype::f64}, std::pair{&reference_backend(), Dtype::f32},
        std::pair{&cpu_backend(), Dtype::f32}}) {
    for (const Case& c : cases) {
      CAPTURE(backend->name(), name_of(dtype), c.logits, c.label, c.smoothing);
      const Shape shape{1, std::ssize(c.logits)};
      const Tensor logits = Tensor::from(c.logits, shape, reference_backend()).to(dtype);
      const Variable z = Variable::leaf(logits.to(*backend).clone(), Groups(1, 1));
      const Tensor label = Tensor::from(std::vector{c.label}, {1}, *backend);
      const Variable loss = cross_entropy(z, label, c.smoothing);
      const double got = loss.value().to(Dtype::f64).to_vector<double>()[0];
      if (std::isfinite(c.loss)) {
        CHECK(got == Approx(c.loss).margin(1e-6));
      } else {
        CHECK((std::isnan(c.loss) ? std::isnan(got) : got == c.loss));
      }
      Mean mean;
      backward(loss, mean);
      const auto gradient = z.gradient().to(Dtype::f64).to_vector<double>();
      REQUIRE(gradient.size() == c.logits.size());
      for (std::size_t i = 0; i < c.gradient.size(); ++i) {
        CHECK(gradient[i] == Approx(c.gradient[i]).margin(1e-6));
      }
      if (c.gradient.empty()) {
        CHECK(
            std::any_of(gradient.begin(), gradient.end(), [](double g) { return std::isnan(g); }));
      }
    }
  }
}

TEST_CASE("relu and add work in place only on what nobody else holds", "[ops]") {
  Random random(20);
  const Tensor original = spaced({2, 3}, random);
  const auto before = original.to_vector<double>();

  const Variable kept(original.clone());
  const auto kept_values = kept.value().to_vector<double>();
  const Variable y = relu(kept);
  CHECK(kept.value().to_vector<double>() == kept_values);  // shared: left alone

  Variable given(original.clone());
  const std::byte* memory = given.value().raw();
  const Variable z = relu(std::move(given));
  CHECK(z.value().raw() == memory);  // given away: reused
  CHECK(z.value().to_vector<double>() == y.value().to_vector<double>());
  CHECK(original.to_vector<double>() == before);
}

TEST_CASE("ops refuse wrong shapes, dtypes and geometries by name", "[ops]") {
  Random random(21);
  Parameter w = parameter("fc.weight", {4, 7}, random);
  Parameter kernel = parameter("conv.weight", {4, 3, 3, 3}, random);
  const Variable matrix(normal({5, 6}, random));
  const Variable image(normal({2, 3, 5, 5}, random));
  CHECK_THROWS_AS(linear(matrix, w, nullptr), ShapeError);
  CHECK_THROWS_WITH(linear(matrix, w, nullptr),
                    contains("fc.weight") && contains("[4, 6]") && contains("[4, 7]"));
  CHECK_THROWS_AS(linear(image, w, nullptr), ShapeError);
  const Variable fitting(normal({5, 7}, random));
  CHECK_THROWS_AS(linear(fitting, w, nullptr, Epilogue::add_relu), ValueError);
  CHECK_THROWS_AS(conv2d(matrix, kernel, nullptr, {}), ShapeError);
  CHECK_THROWS_AS(conv2d(image, kernel, nullptr, {.channel_groups = 2}), ValueError);
  CHECK_THROWS_AS(conv2d(image, kernel, nullptr, {.stride = {0, 1}}), ValueError);
  CHECK_THROWS_AS(conv2d(image, kernel, nullptr, {.dilation = {3, 3}}), ShapeError);
  CHECK_THROWS_AS(max_pool2d(image, {.kernel = {2, 2}, .padding = {2, 2}}), ValueError);
  CHECK_THROWS_AS(max_pool2d(image, {.kernel = {9, 9}}), ShapeError);
  CHECK_THROWS_AS(add(matrix, image), ShapeError);
  CHECK_THROWS_AS(dropout(matrix, 1.0, 0, 0), ValueError);
  CHECK_THROWS_AS(concat({}), ValueError);
  const Variable single(image.value().to(Dtype::f32));
  CHECK_THROWS_AS(conv2d(single, kernel, nullptr, {}), DtypeError);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 6}, {5}, reference_backend());
  CHECK_THROWS_WITH(cross_entropy(matrix, labels), contains("label 6 of row 4"));
  CHECK_THROWS_AS(cross_entropy(matrix, labels.rows(0, 4)), ShapeError);
}

}  // namespace cograd::testing
