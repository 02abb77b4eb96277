// The onednn backend against the reference, on random inputs of odd sizes.
#include "engine/onednn/primitive.h"
#include "engine/onednn/primitive_cache.h"
#include "tests/onednn_compare.h"

namespace cograd::testing {

TEST_CASE("layouts convert into each other", "[onednn]") {
  Random random(61);
  for (std::int64_t channels : {1, 3, 8, 16, 17}) {
    const Tensor x = fast(random_f32({3, channels, 5, 4}, random));
    for (Layout a : kLayouts) {
      const Tensor in_a = onednn::reordered(x, a);
      for (Layout b : kLayouts) {
        CAPTURE(channels, static_cast<int>(a), static_cast<int>(b));
        CHECK(onednn::reordered(in_a, b).to_vector<float>() == x.to_vector<float>());
        // A slice of rows is a tensor of its own in any layout.
        CHECK(onednn::reordered(in_a.rows(1, 3), b).to_vector<float>() ==
              x.rows(1, 3).clone().to_vector<float>());
      }
    }
  }
}

TEST_CASE("onednn linear equals the reference", "[onednn]") {
  for (const auto& [n, in, out] : {std::array<std::int64_t, 3>{1, 1, 1},
                                   {5, 7, 4},
                                   {10, 784, 256},
                                   {33, 17, 65},
                                   {100, 256, 10}}) {
    for (std::int64_t groups : {std::int64_t{1}, std::min<std::int64_t>(3, n), n}) {
      CAPTURE(n, in, out, groups);
      Random random(62);
      compare({random_f32({n, in}, random)},
              {random_f32({out, in}, random), random_f32({out}, random)}, groups,
              [](auto& x, auto& p) { return linear(x[0], p[0], &p[1]); });
    }
  }
}

TEST_CASE("onednn convolution equals the reference", "[onednn]") {
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
        compare({random_f32(c.x, random)}, parameters, groups, [&](auto& x, auto& p) {
          return conv2d(x[0], p[0], bias ? &p[1] : nullptr, c.geometry);
        });
      }
    }
  }
}

TEST_CASE("onednn batch norm equals the reference", "[onednn]") {
  for (std::int64_t channels : {1, 3, 8, 16, 17, 33}) {
    for (std::int64_t groups : {1, 2, 3}) {
      for (Statistics statistics : {Statistics::per_group, Statistics::whole_batch}) {
        CAPTURE(channels, groups, static_cast<int>(statistics));
        Random random(64);
        compare({random_f32({7, channels, 5, 3}, random)},
                {random_f32({channels}, random), random_f32({channels}, random)}, groups,
                [&](auto& x, auto& p) {
                  RunningStatistics none;
                  return batch_norm(x[0], p[0], p[1], none, 1e-5, statistics);
                });
        const Tensor x = random_f32({7, channels, 5, 3}, random);
        for (Epilogue kind : {Epilogue::relu, Epilogue::add_relu}) {
          CAPTURE(static_cast<int>(kind));
          compare({x, random_f32({7, channels, 5, 3}, random)},
                  {random_f32({channels}, random), random_f32({channels}, random)}, groups,
                  [&](auto& in, auto& p) {
                    RunningStatistics none;
                    const bool adds = kind == Epilogue::add_relu;
                    // Without a residual the second input still needs a gradient.
                    Variable y = batch_norm(in[0], p[0], p[1], none, 1e-5, statistics,
                                            {kind, adds ? in[1] : Variable()});
                    return adds ? y : add(std::move(y), in[1]);
                  });
        }
      }
      Random random(65);
      const Tensor mean = random_f32({channels}, random);
      Tensor variance = Tensor::full({channels}, 0.7, Dtype::f32, reference_backend());
      compare({random_f32({7, channels, 5, 3}, random)},
              {random_f32({channels}, random), random_f32({channels}, random)}, groups,
              [&](auto& x, auto& p) {
                const RunningStatistics running{mean.to(x[0].backend()),
                                                variance.to(x[0].backend()), 0.1};
                return batch_norm_inference(x[0], p[0], p[1], running, 1e-5);
              });
    }
  }
}

TEST_CASE("onednn keeps running statistics like the reference", "[onednn]") {
  Random random(66);
  const Tensor x = random_f32({6, 5, 3, 3}, random);
  const auto run = [&](Backend& backend) {
    RunningStatistics running{Tensor::full({5}, 0.5, Dtype::f32, backend),
                              Tensor::full({5}, 2.0, Dtype::f32, backend), 0.1};
    const Tensor one = Tensor::full({5}, 1.0, Dtype::f32, backend);
    backend.batch_norm(x.to(backend), one, one, Groups(6, 3), 1e-5, running, Epilogue::none,
                       Tensor());
    return running;
  };
  const auto expected = run(reference_backend()), actual = run(onednn_backend());
  check_same(actual.mean, expected.mean, "running mean");
  check_same(actual.variance, expected.variance, "running variance");
}

TEST_CASE("onednn pooling equals the reference in every layout", "[onednn]") {
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
      for (Layout layout : kLayouts) {
        CAPTURE(channels, i, static_cast<int>(layout));
        Random random(67, i);
        // Few distinct values: ties everywhere, and the first must win.
        Tensor x = Tensor::empty({3, channels, 8, 9}, Dtype::f32, reference_backend());
        for (std::int64_t e = 0; e < x.numel(); ++e) {
          x.data<float>()[e] = static_cast<float>(random.below(4)) - 3.0f;
        }
        const auto arranged = [&](const Variable& v) {
          if (&v.backend() == &reference_backend()) return v;
          return record("arranged", onednn::reordered(v.value(), layout), {v}, {},
                        [](const Tensor& dy, Backward& pass) { pass.input_gradient(0, dy); });
        };
        compare({x}, {}, 1,
                [&](auto& v, auto&) { return max_pool2d(arranged(v[0]), geometries[i]); });
        compare({x}, {}, 1,
                [&](auto& v, auto&) { return avg_pool2d(arranged(v[0]), geometries[i]); });
        for (const Pair output : {Pair{1, 1}, Pair{4, 3}, Pair{3, 7}}) {
          compare({x}, {}, 1,
                  [&](auto& v, auto&) { return adaptive_avg_pool2d(arranged(v[0]), output); });
        }
      }
    }
  }
}

TEST_CASE("onednn element-wise ops and the loss equal the reference", "[onednn]") {
  Random random(68);
  for (std::int64_t channels : {1, 7, 16, 33}) {
    const Shape shape{3, channels, 5, 3};
    const Tensor a = random_f32(shape, random), b = random_f32(shape, random);
    compare({a}, {}, 3, [](auto& x, auto&) { return relu(x[0]); });
    compare({a, b}, {}, 1, [](auto& x, auto&) { return add(x[0], x[1]); });
    compare({a, b}, {}, 1, [](auto& x, auto&) { return add_relu(x[0], x[1]); });
    compare({a, b, a}, {}, 1, [](auto& x, auto&) { return concat({x[0], x[1], x[2]}); });
    compare({a}, {}, 1, [](auto& x, auto&) { return dropout(x[0], 0.3, 1, 2); });
  }
}

TEST_CASE("a chain of ops in oneDNN's layouts equals the reference", "[onednn]") {
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
        {random_f32({6, 3, 12, 12}, random)}, parameters, 3,
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

TEST_CASE("gradients accumulate over windows, also over ones without rows", "[onednn]") {
  Random random(70);
  Backend& backend = onednn_backend();
  const Tensor x = fast(random_f32({7, 5, 6, 6}, random)),
               dy = fast(random_f32({7, 9, 6, 6}, random));
  const ConvGeometry geometry{.padding = {1, 1}};
  const Groups groups(7, 3);
  Tensor whole = Tensor::empty({3, 9, 5, 3, 3}, Dtype::f32, backend);
  backend.conv2d_weight_gradient(x, dy, geometry, groups, whole, Write::overwrite);
  Tensor parts = Tensor::full({3, 9, 5, 3, 3}, 7.0, Dtype::f32, backend);
  bool first = true;
  for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 4}, std::pair{4, 7}}) {
    backend.conv2d_weight_gradient(x.rows(begin, end), dy.rows(begin, end), geometry,
                                   groups.window(begin, end - begin), parts,
                                   first ? Write::overwrite : Write::accumulate);
    first = false;
  }
  check_same(parts, whole, "conv2d_weight_gradient");
}

TEST_CASE("every field of a primitive's key tells keys apart", "[onednn]") {
  using onednn::PrimitiveKey;
  using Pass = PrimitiveKey::Pass;
  const auto conv = [](Pass pass, Shape x, Shape w, ConvGeometry g) {
    return PrimitiveKey(pass).add(x).add(w).add(g);
  };
  const auto pool = [](PoolGeometry g, Layout layout, double eps) {
    return PrimitiveKey(Pass::pool).add(g).add(layout).add(eps);
  };
  std::vector<PrimitiveKey> keys{
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_data, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_weight, {1, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {2, 2, 3, 4}, {5, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {6, 2, 1, 1}, {}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {2, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.stride = {1, 2}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {1, 0}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.padding = {0, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {2, 1}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.dilation = {1, 2}}),
      conv(Pass::conv_forward, {1, 2, 3, 4}, {5, 2, 1, 1}, {.channel_groups = 2}),
      pool({}, Layout::row_major, 1e-5),
      pool({.kernel = {3, 2}}, Layout::row_major, 1e-5),
      pool({.stride = {2, 3}}, Layout::row_major, 1e-5),
      pool({.padding = {1, 0}}, Layout::row_major, 1e-5),
      pool({.ceil_mode = true}, Layout::row_major, 1e-5),
      pool({.count_include_pad = false}, Layout::row_major, 1e-5),
      pool({}, Layout::blocked16, 1e-5),
      pool({}, Layout::row_major, 1e-3),
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < keys.size(); ++j) {
      CAPTURE(i, j);
      CHECK((keys[i] == keys[j]) == (i == j));
    }
  }
}

TEST_CASE("the primitive cache keeps what was used last", "[onednn]") {
  using onednn::PrimitiveKey;
  onednn::PrimitiveCache<int> cache(2);
  int made = 0;
  const auto get = [&](std::int64_t id) {
    return *cache.get(PrimitiveKey(PrimitiveKey::Pass::pool).add(id), [&] {
      ++made;
      return static_cast<int>(id);
    });
  };
  CHECK(get(1) == 1);
  CHECK(get(2) == 2);
  CHECK(get(1) == 1);
  CHECK(made == 2);
  CHECK(get(3) == 3);  // drops 2, the least recently used
  CHECK(get(1) == 1);
  CHECK(made == 3);
  CHECK(get(2) == 2);
  CHECK(made == 4);
  CHECK(cache.size() == 2);
}

}  // namespace cograd::testing
