// What every fast backend must do as the reference does.
#include "tests/support/backend_cases.h"

namespace cograd::testing {

void check_linear(Backend& fast, double tolerance) {
  for (const auto& [n, in, out] : {std::array<std::int64_t, 3>{1, 1, 1},
                                   {5, 7, 4},
                                   {10, 784, 256},
                                   {33, 17, 65},
                                   {50, 13, 10},  // groups that begin at odd addresses
                                   {100, 256, 10}}) {
    for (std::int64_t groups : {std::int64_t{1}, std::min<std::int64_t>(3, n), n}) {
      for (Epilogue epilogue : {Epilogue::none, Epilogue::relu}) {
        CAPTURE(n, in, out, groups, epilogue);
        Random random(62);
        compare(
            fast, {random_f32({n, in}, random)},
            {random_f32({out, in}, random), random_f32({out}, random)}, groups,
            [=](auto& x, auto& p) { return linear(x[0], p[0], &p[1], epilogue); }, tolerance);
      }
    }
  }
}

void check_convolution(Backend& fast, double tolerance) {
  struct Case {
    Shape x, w;
    ConvGeometry geometry;
  };
  const std::vector<Case> cases{
      {{5, 3, 19, 17}, {16, 3, 7, 7}, {.stride = {2, 2}, .padding = {3, 3}}},
      {{4, 16, 9, 11}, {32, 16, 3, 3}, {.padding = {1, 1}}},
      {{4, 32, 9, 11}, {16, 32, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}}},
      {{4, 16, 8, 8}, {32, 16, 1, 1}, {.stride = {2, 2}}},
      {{3, 8, 7, 7}, {8, 8, 3, 3}, {.padding = {1, 1}}},
      {{3, 5, 7, 9}, {17, 5, 3, 3}, {.padding = {1, 1}}},
      {{3, 17, 6, 6}, {33, 17, 3, 3}, {}},
      {{5, 32, 7, 6}, {48, 32, 3, 3}, {.padding = {1, 1}}},
      {{3, 48, 4, 5}, {16, 48, 3, 3}, {.padding = {1, 2}}},
      {{3, 1, 12, 12}, {2, 1, 5, 5}, {.padding = {2, 2}}},
      {{3, 16, 9, 8}, {16, 16, 1, 7}, {.padding = {0, 3}}},
      {{3, 16, 9, 8}, {16, 16, 7, 1}, {.padding = {3, 0}}},
      {{3, 2, 9, 8}, {3, 2, 7, 1}, {.stride = {1, 2}, .padding = {3, 0}}},
      {{4, 32, 7, 7}, {32, 8, 3, 3}, {.padding = {1, 1}, .channel_groups = 4}},
      {{4, 6, 7, 7}, {6, 1, 3, 3}, {.padding = {1, 1}, .channel_groups = 6}},
      {{3, 4, 11, 10}, {6, 4, 3, 2}, {.padding = {2, 1}, .dilation = {2, 3}}},
  };
  for (const Case& c : cases) {
    for (std::int64_t groups : {1, 3}) {
      for (bool bias : {false, true}) {
        CAPTURE(c.x.str(), c.w.str(), groups, bias);
        Random random(63);
        std::vector<Tensor> parameters{random_f32(c.w, random)};
        if (bias) parameters.push_back(random_f32({c.w[0]}, random));
        compare(
            fast, {random_f32(c.x, random)}, parameters, groups,
            [&](auto& x, auto& p) {
              return conv2d(x[0], p[0], bias ? &p[1] : nullptr, c.geometry);
            },
            tolerance);
      }
    }
  }
}

void check_batch_norm(Backend& fast) {
  for (std::int64_t channels : {1, 3, 8, 16, 17, 33}) {
    for (std::int64_t groups : {1, 2, 3}) {
      for (Statistics statistics : {Statistics::per_group, Statistics::whole_batch}) {
        CAPTURE(channels, groups, static_cast<int>(statistics));
        Random random(64);
        compare(fast, {random_f32({7, channels, 5, 3}, random)},
                {random_f32({channels}, random), random_f32({channels}, random)}, groups,
                [&](auto& x, auto& p) {
                  RunningStatistics none;
                  return batch_norm(x[0], p[0], p[1], none, 1e-5, statistics);
                });
        const Tensor x = random_f32({7, channels, 5, 3}, random);
        for (Epilogue kind : {Epilogue::relu, Epilogue::add_relu}) {
          CAPTURE(static_cast<int>(kind));
          compare(fast, {x, random_f32({7, channels, 5, 3}, random)},
                  {random_f32({channels}, random), random_f32({channels}, random)}, groups,
                  [&](auto& in, auto& p) {
                    RunningStatistics none;
                    const bool adds = kind == Epilogue::add_relu;
                    // Without a residual the second input still needs a gradient.
                    Variable y = batch_norm(in[0], p[0], p[1], none, 1e-5, statistics, kind,
                                            adds ? in[1] : Variable());
                    return adds ? y : add(std::move(y), in[1]);
                  });
        }
      }
      Random random(65);
      const Tensor mean = random_f32({channels}, random);
      Tensor variance = Tensor::full({channels}, 0.7, Dtype::f32, reference_backend());
      compare(fast, {random_f32({7, channels, 5, 3}, random)},
              {random_f32({channels}, random), random_f32({channels}, random)}, groups,
              [&](auto& x, auto& p) {
                const RunningStatistics running{mean.to(x[0].backend()),
                                                variance.to(x[0].backend()), 0.1};
                return batch_norm_inference(x[0], p[0], p[1], running, 1e-5);
              });
    }
  }
}

void check_running_statistics(Backend& fast) {
  Random random(66);
  const Tensor x = random_f32({6, 5, 3, 3}, random);
  const auto run = [&](Backend& backend) {
    RunningStatistics running{Tensor::full({5}, 0.5, Dtype::f32, backend),
                              Tensor::full({5}, 2.0, Dtype::f32, backend), 0.1};
    const Tensor one = Tensor::full({5}, 1.0, Dtype::f32, backend);
    backend.batch_norm({x.to(backend), one, one}, Groups(6, 3), 1e-5, running);
    return running;
  };
  const auto expected = run(reference_backend()), actual = run(fast);
  check_same(actual.mean, expected.mean, "running mean");
  check_same(actual.variance, expected.variance, "running variance");
}

void check_pooling(Backend& fast, const Arrangements& arrangements) {
  const std::vector<PoolGeometry> geometries{
      {.kernel = {2, 2}, .stride = {2, 2}},
      {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
      {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true},
      {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = false},
      {.kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 1}, .ceil_mode = true},
      {.kernel = {5, 5},
       .stride = {3, 3},
       .padding = {2, 2},
       .ceil_mode = true,
       .count_include_pad = false},
  };
  for (std::int64_t channels : {1, 8, 16, 19}) {
    for (std::size_t i = 0; i < geometries.size(); ++i) {
      for (std::size_t a = 0; a < arrangements.size(); ++a) {
        CAPTURE(channels, i, a);
        Random random(67, i);
        // Few distinct values: ties everywhere, and the first must win.
        Tensor x = Tensor::empty({3, channels, 8, 9}, Dtype::f32, reference_backend());
        for (std::int64_t e = 0; e < x.numel(); ++e) {
          x.data<float>()[e] = static_cast<float>(random.below(4)) - 3.0f;
        }
        const auto arranged = [&](const Variable& v) {
          if (&v.backend() == &reference_backend()) return v;
          return record("arranged", arrangements[a](v.value()), {v}, {},
                        [](const Tensor& dy, Backward& pass) { pass.input_gradient(0, dy); });
        };
        compare(fast, {x}, {}, 1,
                [&](auto& v, auto&) { return max_pool2d(arranged(v[0]), geometries[i]); });
        compare(fast, {x}, {}, 1,
                [&](auto& v, auto&) { return avg_pool2d(arranged(v[0]), geometries[i]); });
        for (const Pair output : {Pair{1, 1}, Pair{4, 3}, Pair{3, 7}}) {
          compare(fast, {x}, {}, 1,
                  [&](auto& v, auto&) { return adaptive_avg_pool2d(arranged(v[0]), output); });
        }
      }
    }
  }
}

void check_elementwise(Backend& fast) {
  Random random(68);
  for (std::int64_t channels : {1, 7, 16, 33}) {
    const Shape shape{3, channels, 5, 3};
    const Tensor a = random_f32(shape, random), b = random_f32(shape, random);
    compare(fast, {a}, {}, 3, [](auto& x, auto&) { return relu(x[0]); });
    compare(fast, {a, b}, {}, 1, [](auto& x, auto&) { return add(x[0], x[1]); });
    compare(fast, {a, b}, {}, 1, [](auto& x, auto&) { return add_relu(x[0], x[1]); });
    compare(fast, {a, b, a}, {}, 1, [](auto& x, auto&) { return concat({x[0], x[1], x[2]}); });
    compare(fast, {a}, {}, 1, [](auto& x, auto&) { return dropout(x[0], 0.3, 1, 2); });
  }
}

void check_chain(Backend& fast) {
  Random random(69);
  for (std::int64_t width : {5, 16}) {
    CAPTURE(width);
    const std::vector<Tensor> parameters{random_f32({width, 3, 3, 3}, random),
                                         random_f32({width}, random),
                                         random_f32({width}, random),
                                         random_f32({width, width, 3, 3}, random),
                                         random_f32({7, 2 * width, 1, 1}, random),
                                         random_f32({4, 7}, random)};
    compare(
        fast, {random_f32({6, 3, 12, 12}, random)}, parameters, 3,
        [](auto& x, auto& p) {
          RunningStatistics none;
          Variable h = conv2d(x[0], p[0], nullptr, {.padding = {1, 1}});
          h = relu(batch_norm(h, p[1], p[2], none, 1e-5));
          h = max_pool2d(h, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
          h = add_relu(conv2d(h, p[3], nullptr, {.padding = {1, 1}}), h);
          h = conv2d(concat({h, h}), p[4], nullptr, {});
          return linear(flatten(adaptive_avg_pool2d(h, {1, 1})), p[5], nullptr);
        },
        1e-4);
  }
}

void check_micro_batches(Backend& fast) {
  Random random(70);
  const Tensor x = random_f32({7, 5, 6, 6}, random).to(fast),
               dy = random_f32({7, 9, 6, 6}, random).to(fast);
  const ConvGeometry geometry{.padding = {1, 1}};
  const Groups groups(7, 3);
  Tensor whole = Tensor::empty({3, 9, 5, 3, 3}, Dtype::f32, fast);
  fast.conv2d_weight_gradient(x, dy, geometry, groups, {whole});
  Tensor parts = Tensor::full({3, 9, 5, 3, 3}, 7.0, Dtype::f32, fast);
  bool first = true;
  for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 4}, std::pair{4, 7}}) {
    fast.conv2d_weight_gradient(x.rows(begin, end), dy.rows(begin, end), geometry,
                                groups.micro_batch(begin, end - begin),
                                {parts, first ? Write::overwrite : Write::accumulate});
    first = false;
  }
  check_same(parts, whole, "conv2d_weight_gradient");
}

void check_updates(Backend& fast) {
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
        // Two parameters in one call, the second a part of the first's values.
        const auto part = [](const Tensor& t) { return t.rows(0, 17).clone(); };
        std::vector<ParameterUpdate> updates{{p, g.to(backend), v, window}};
        Tensor short_v, short_window = Tensor::empty({3, 17}, Dtype::f32, backend);
        if (v.defined()) short_v = part(v);
        for (std::int64_t w = 0; w < 3; ++w) short_window[w].copy_from(part(window[w]));
        updates.push_back({part(p), part(updates[0].g), short_v, short_window});
        backend.rolling_update(updates, 1, full, reduction,
                               {.learning_rate = 0.1, .momentum = momentum, .weight_decay = 0.01});
        CHECK(updates[1].p.to_vector<float>() == part(p).to_vector<float>());
        std::vector<Tensor> all{p, window};
        if (v.defined()) all.push_back(v);
        return all;
      };
      for (bool full : {false, true}) {
        const auto expected = run(reference_backend(), full), got = run(fast, full);
        for (std::size_t i = 0; i < got.size(); ++i)
          check_same(got[i], expected[i], "update", 1e-6);
        CHECK((relative_error(got[0], p0) > 0) == full);
      }
    }
  }
}

void check_bf16(Backend& fast) {
  struct Op {
    std::string name;
    std::vector<Shape> inputs, parameters;
    std::function<Variable(std::vector<Variable>&, std::vector<Parameter>&)> op;
    double tolerance = 0x1p-8;
  };
  const Shape image{6, 24, 9, 9}, wide{6, 32, 10, 10};
  const std::vector<Op> ops{
      {"conv2d",
       {image},
       {{32, 24, 3, 3}, {32}},
       [](auto& x, auto& p) {
         return conv2d(x[0], p[0], &p[1], {.padding = {1, 1}});
       }},
      // By Winograd's algorithm perhaps, which rounds what it makes of images and filters as well.
      {"conv2d, whole blocks of channels",
       {wide},
       {{48, 32, 3, 3}, {48}},
       [](auto& x, auto& p) {
         return conv2d(x[0], p[0], &p[1], {.padding = {1, 1}});
       },
       0x1p-7},
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
      {"linear, relu",
       {{6, 40}},
       {{17, 40}},
       [](auto& x, auto& p) { return linear(x[0], p[0], nullptr, Epilogue::relu); }},
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
  const auto run = [&fast](const Op& op, Dtype dtype) {
    Random random(71);
    std::vector<Variable> leaves;
    std::vector<Parameter> parameters(op.parameters.size());
    for (const Shape& shape : op.inputs) {
      // What bf16 holds exactly.
      const Tensor t = random_f32(shape, random).to(fast).to(Dtype::bf16).to(dtype);
      leaves.push_back(Variable::leaf(t, Groups(shape[0], 3)));
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].value =
          random_f32(op.parameters[i], random).to(fast).to(Dtype::bf16).to(Dtype::f32);
    }
    const Variable y = op.op(leaves, parameters);
    CHECK(y.value().dtype() == dtype);
    const Tensor upstream = random_f32(y.shape(), random).to(fast).to(Dtype::bf16).to(dtype);
    const Variable loss =
        record("upstream", Tensor::zeros({3}, Dtype::f32, fast), {y}, {},
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
  for (const Op& op : ops) {
    const auto expected = run(op, Dtype::f32), got = run(op, Dtype::bf16);
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(op.name, i);
      CHECK(relative_error(got[i].row_major().to(Dtype::f32), expected[i].row_major()) <=
            op.tolerance);
    }
  }
}

}  // namespace cograd::testing
