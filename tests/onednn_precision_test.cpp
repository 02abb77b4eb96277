// The onednn backend in bf16 and in every layout, and its updates.
#include <cstdio>

#include "engine/onednn/primitive.h"
#include "tests/onednn_compare.h"

namespace cograd::testing {

TEST_CASE("batch norm is the same in every layout and type", "[onednn]") {
  Backend& backend = onednn_backend();
  const Groups groups(6, 3);
  for (std::int64_t channels : {7, 16, 40, 48}) {
    for (Epilogue kind : {Epilogue::none, Epilogue::relu, Epilogue::add_relu}) {
      Random random(67);
      const Shape shape{6, channels, 5, 4};
      // Values that bf16 holds exactly, so that both types start from the same.
      const auto image = [&] { return fast(random_f32(shape, random)).to(Dtype::bf16); };
      const Tensor x = image(), dy = image(), residual = image();
      const Tensor gamma = fast(random_f32({channels}, random)),
                   beta = fast(random_f32({channels}, random));
      struct Outcome {
        Tensor y, dx, dresidual, dgamma, dbeta;
      };
      const auto run = [&](Dtype dtype, Layout layout) {
        const auto in = [&](const Tensor& t) { return onednn::reordered(t.to(dtype), layout); };
        RunningStatistics none;
        const BatchNormResult r =
            backend.batch_norm(in(x), gamma, beta, groups, 1e-5, none, kind,
                               kind == Epilogue::add_relu ? in(residual) : Tensor());
        Outcome o{r.y,
                  {},
                  {},
                  Tensor::empty({3, channels}, Dtype::f32, backend),
                  Tensor::empty({3, channels}, Dtype::f32, backend)};
        const BatchNormGradient g = backend.batch_norm_backward(
            in(x), r.y, in(dy), false, gamma, beta, r.statistics, kind, groups, o.dgamma,
            Write::overwrite, o.dbeta, Write::overwrite);
        o.dx = g.dx, o.dresidual = g.dresidual;
        return o;
      };
      const auto same = [&](const Tensor& a, const Tensor& b, double tolerance) {
        REQUIRE(a.defined() == b.defined());
        if (a.defined()) {
          CHECK(relative_error(a.row_major().to(Dtype::f32), b.row_major().to(Dtype::f32)) <=
                tolerance);
        }
      };
      const Outcome expected = run(Dtype::f32, Layout::row_major);
      for (Dtype dtype : {Dtype::f32, Dtype::bf16}) {
        for (Layout layout : kLayouts) {
          CAPTURE(channels, static_cast<int>(kind), name_of(dtype), static_cast<int>(layout));
          const Outcome got = run(dtype, layout);
          CHECK(got.y.dtype() == dtype);
          // Results in bf16 are the f32 ones rounded: by at most 2^-9 of each.
          const double rounding = dtype == Dtype::bf16 ? 0x1p-9 : 1e-6;
          same(got.y, expected.y, rounding);
          same(got.dx, expected.dx, rounding);
          same(got.dresidual, expected.dresidual, 0.0);
          same(got.dgamma, expected.dgamma, 1e-6);
          same(got.dbeta, expected.dbeta, 1e-6);
        }
      }
    }
  }
}

TEST_CASE("ops on bf16 activations equal those on f32, rounded", "[onednn]") {
  struct Op {
    std::string name;
    std::vector<Shape> inputs, parameters;
    std::function<Variable(std::vector<Variable>&, std::vector<Parameter>&)> op;
  };
  const Shape image{6, 24, 9, 9}, wide{6, 32, 10, 10};
  const std::vector<Op> ops{
      {"conv2d",
       {image},
       {{32, 24, 3, 3}, {32}},
       [](auto& x, auto& p) {
         return conv2d(x[0], p[0], &p[1], {.padding = {1, 1}});
       }},
      {"conv2d, stride 2",
       {wide},
       {{16, 32, 3, 3}},
       [](auto& x, auto& p) {
         return conv2d(x[0], p[0], nullptr, {.stride = {2, 2}, .padding = {1, 1}});
       }},
      {"linear",
       {{6, 40}},
       {{17, 40}, {17}},
       [](auto& x, auto& p) { return linear(x[0], p[0], &p[1]); }},
      {"max_pool2d",
       {wide},
       {},
       [](auto& x, auto&) {
         return max_pool2d(x[0], {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
       }},
      {"avg_pool2d",
       {wide},
       {},
       [](auto& x, auto&) {
         return avg_pool2d(x[0], {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
       }},
      {"adaptive_avg_pool2d",
       {image},
       {},
       [](auto& x, auto&) {
         return adaptive_avg_pool2d(x[0], {4, 2});
       }},
      {"add_relu", {wide, wide}, {}, [](auto& x, auto&) { return add_relu(x[0], x[1]); }},
      {"concat",
       {image, wide},
       {},
       [](auto& x, auto&) {
         return concat({x[0], max_pool2d(x[1], {.kernel = {2, 2}, .stride = {1, 1}})});
       }},
      {"dropout", {image}, {}, [](auto& x, auto&) { return dropout(x[0], 0.3, 1, 2); }},
  };
  const ConvolutionArithmetic before = convolution_arithmetic();
  const auto run = [](const Op& op, Dtype dtype) {
    Backend& backend = onednn_backend();
    Random random(71);
    std::vector<Variable> leaves;
    std::vector<Parameter> parameters(op.parameters.size());
    for (const Shape& shape : op.inputs) {
      // What bf16 holds exactly.
      const Tensor t = fast(random_f32(shape, random)).to(Dtype::bf16).to(dtype);
      leaves.push_back(Variable::leaf(t, Groups(shape[0], 3)));
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].value =
          fast(random_f32(op.parameters[i], random)).to(Dtype::bf16).to(Dtype::f32);
    }
    const Variable y = op.op(leaves, parameters);
    CHECK(y.value().dtype() == dtype);
    const Tensor upstream = fast(random_f32(y.shape(), random)).to(Dtype::bf16).to(dtype);
    const Variable loss =
        record("upstream", Tensor::zeros({3}, Dtype::f32, backend), {y}, {},
               [upstream](const Tensor&, Backward& pass) { pass.input_gradient(0, upstream); });
    MedianOfMeans rule(3);
    backward(loss, rule);
    std::vector<Tensor> results{y.value()};
    for (const Variable& leaf : leaves) results.push_back(leaf.gradient());
    for (const Parameter& p : parameters) {
      CHECK(p.gradient.dtype() == Dtype::f32);
      results.push_back(p.gradient);
    }
    return results;
  };
  for (bool native : {false, true}) {
    if (native && dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core) {
      std::printf("SKIPPED: products in bf16: this processor has no AVX-512\n");
      continue;
    }
    set_convolution_arithmetic({.winograd = before.winograd, .bf16 = native});
    for (const Op& op : ops) {
      const auto expected = run(op, Dtype::f32), got = run(op, Dtype::bf16);
      for (std::size_t i = 0; i < got.size(); ++i) {
        CAPTURE(op.name, native, i);
        CHECK(relative_error(got[i].row_major().to(Dtype::f32), expected[i]) <= 0x1p-8);
      }
    }
  }
  set_convolution_arithmetic(before);
}

TEST_CASE("onednn updates parameters like the reference", "[onednn]") {
  const std::int64_t n = 40007;  // more than one piece, and an odd rest
  for (double momentum : {0.0, 0.9}) {
    for (const Reduction& reduction :
         {Reduction{.kind = Reduction::Kind::median}, Reduction{.kind = Reduction::Kind::mean}}) {
      CAPTURE(momentum, static_cast<int>(reduction.kind));
      Random random(72);
      const Tensor p0 = random_f32({n}, random), v0 = random_f32({n}, random),
                   window0 = random_f32({3, n}, random), g = random_f32({n}, random);
      const auto run = [&](Backend& backend, bool full) {
        Tensor p = p0.to(backend).clone(), window = window0.to(backend).clone(), v;
        if (momentum > 0) v = v0.to(backend).clone();
        backend.rolling_update(p, g.to(backend), window, 1, full, reduction, v,
                               {.learning_rate = 0.1, .momentum = momentum, .weight_decay = 0.01});
        std::vector<Tensor> all{p, window};
        if (v.defined()) all.push_back(v);
        return all;
      };
      for (bool full : {false, true}) {
        const auto expected = run(reference_backend(), full), got = run(onednn_backend(), full);
        for (std::size_t i = 0; i < got.size(); ++i)
          check_same(got[i], expected[i], "update", 1e-6);
        CHECK((relative_error(got[0], p0) > 0) == full);
      }
    }
  }
}

}  // namespace cograd::testing
