// Batch norm on cuda against the reference: its masks, its last blocks and its reductions.
#include <cmath>
#include <limits>

#include "tests/support/cuda_device.h"

namespace cograd::testing {
namespace {

/// Everything that the kernels make of x, forward and backward.
struct Made {
  BatchNormResult result;
  Tensor dgamma, dbeta;
  BatchNormGradient gradient;
};

struct Given {
  Tensor x, residual, dy, gamma, beta;
  Groups groups;
  Epilogue epilogue;
};

Made run(const Given& given, Backend& backend, Dtype dtype, bool uses_mask = true) {
  const auto on = [&](const Tensor& t) { return t.to(backend).to(dtype); };
  const Tensor gamma = given.gamma.to(backend), beta = given.beta.to(backend);
  const std::int64_t channels = given.x.size(1);
  RunningStatistics none;
  Made made;
  const Tensor x = on(given.x);
  made.result = backend.batch_norm({.x = x,
                                    .gamma = gamma,
                                    .beta = beta,
                                    .epilogue = given.epilogue,
                                    .residual = on(given.residual)},
                                   given.groups, 1e-5, none);
  made.dgamma = Tensor::empty({given.groups.count(), channels}, Dtype::f32, backend);
  made.dbeta = Tensor::empty({given.groups.count(), channels}, Dtype::f32, backend);
  made.gradient = backend.batch_norm_backward({.x = x,
                                               .y = made.result.y,
                                               .dy = on(given.dy),
                                               .mask = uses_mask ? made.result.mask : Tensor(),
                                               .gamma = gamma,
                                               .beta = beta,
                                               .statistics = made.result.statistics,
                                               .epilogue = given.epilogue,
                                               .groups = given.groups},
                                              {made.dgamma}, {made.dbeta});
  return made;
}

Given random_input(const Shape& shape, std::int64_t groups, Epilogue epilogue) {
  Random random(91);
  return {random_f32(shape, random),
          random_f32(shape, random),
          random_f32(shape, random),
          random_f32({shape[1]}, random),
          random_f32({shape[1]}, random),
          Groups(shape[0], groups),
          epilogue};
}

void check_alike(const Tensor& got, const Tensor& expected) {
  const std::vector<float> a = got.to(Dtype::f32).to_vector<float>();
  const std::vector<float> b = expected.to(Dtype::f32).to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i, a[i], b[i]);
    REQUIRE(std::isnan(a[i]) == std::isnan(b[i]));
    if (!std::isnan(a[i])) REQUIRE(a[i] == Approx(b[i]).epsilon(1e-4).margin(1e-4));
  }
}

void check_alike(const Made& got, const Made& expected) {
  check_alike(got.result.y, expected.result.y);
  check_alike(got.dgamma, expected.dgamma);
  check_alike(got.dbeta, expected.dbeta);
  check_alike(got.gradient.dx, expected.gradient.dx);
  if (expected.gradient.dresidual.defined()) {
    check_alike(got.gradient.dresidual, expected.gradient.dresidual);
  }
}

constexpr Epilogue kEpilogues[] = {Epilogue::none, Epilogue::relu, Epilogue::add_relu};

}  // namespace

TEST_CASE("cuda batch norm of many pieces and tiles equals the reference", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (const Shape& shape : {Shape{7, 8, 37, 41}, Shape{5, 3, 31, 29}, Shape{3, 520, 4, 3}}) {
    for (const Epilogue epilogue : kEpilogues) {
      CAPTURE(shape.str(), static_cast<int>(epilogue));
      const Given given = random_input(shape, 3, epilogue);
      const Made expected = run(given, reference_backend(), Dtype::f32);
      check_alike(run(given, *cuda, Dtype::f32), expected);
      check_alike(run(given, *cuda, Dtype::f32), expected);  // its counters are zero again
    }
  }
}

TEST_CASE("cuda batch norm keeps NaN like the reference", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Epilogue epilogue : kEpilogues) {
    CAPTURE(static_cast<int>(epilogue));
    Given given = random_input({4, 8, 3, 3}, 2, epilogue);
    given.x.data<float>()[5] = nan;             // channel 0 of the first group
    given.residual.data<float>()[9 + 4] = nan;  // channel 1: one value
    given.dy.data<float>()[18 + 2] = nan;       // channel 2
    given.gamma.data<float>()[3] = nan;         // channel 3
    given.x.data<float>()[36 + 1] = std::numeric_limits<float>::infinity();  // channel 4
    check_alike(run(given, *cuda, Dtype::f32), run(given, reference_backend(), Dtype::f32));
  }
}

TEST_CASE("cuda batch norm has the same bits from its mask as from y", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    for (const std::int64_t channels : {16, 5}) {
      CAPTURE(name_of(dtype), channels);
      const Given given = random_input({4, channels, 5, 7}, 2, Epilogue::add_relu);
      const Made a = run(given, *cuda, dtype, true), b = run(given, *cuda, dtype, false);
      REQUIRE(a.result.mask.defined());
      const auto bits = [](const Tensor& t) { return t.to(Dtype::f32).to_vector<float>(); };
      CHECK(bits(a.gradient.dx) == bits(b.gradient.dx));
      CHECK(bits(a.gradient.dresidual) == bits(b.gradient.dresidual));
      CHECK(bits(a.dgamma) == bits(b.dgamma));
    }
  }
}

TEST_CASE("cuda reduces the groups' gradients of batch norm itself", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  using Kind = Reduction::Kind;
  for (const std::int64_t groups : {1, 2, 3, 8, 16, 17}) {
    for (const Reduction& reduction : {Reduction{Kind::mean}, Reduction{Kind::median},
                                       Reduction{Kind::winsorized_mean, 0, 20.0}}) {
      CAPTURE(groups, static_cast<int>(reduction.kind));
      const Given given = random_input({17, 8, 3, 2}, groups, Epilogue::relu);
      const Made made = run(given, *cuda, Dtype::f32);
      Tensor dgamma = Tensor::empty({8}, Dtype::f32, *cuda);
      Tensor dbeta = Tensor::empty({8}, Dtype::f32, *cuda);
      BatchNormGradient gradient;
      const bool reduced = cuda->batch_norm_reduced_backward({.x = given.x.to(*cuda),
                                                              .y = made.result.y,
                                                              .dy = given.dy.to(*cuda),
                                                              .gamma = given.gamma.to(*cuda),
                                                              .beta = given.beta.to(*cuda),
                                                              .statistics = made.result.statistics,
                                                              .epilogue = Epilogue::relu,
                                                              .groups = given.groups},
                                                             reduction, dgamma, dbeta, gradient);
      REQUIRE(reduced == (groups <= 16));
      if (!reduced) continue;
      Tensor expected = Tensor::empty({8}, Dtype::f32, *cuda);
      cuda->reduce(reduction, made.dgamma, expected, nullptr);
      check_alike(dgamma, expected);
      cuda->reduce(reduction, made.dbeta, expected, nullptr);
      check_alike(dbeta, expected);
      check_alike(gradient.dx, made.gradient.dx);
    }
  }
}

TEST_CASE("batch norm counts the groups of training batches on every backend", "[cuda]") {
  Backend* cuda = device();
  std::vector<Backend*> backends{&reference_backend(), &cpu_backend()};
  if (cuda != nullptr) backends.push_back(cuda);
  for (Backend* backend : backends) {
    CAPTURE(std::string(backend->name()));
    const Given given = random_input({4, 8, 3, 3}, 2, Epilogue::none);
    RunningStatistics running;
    running.batches = Tensor::full({}, 5.0, Dtype::i64, *backend);
    const Tensor one = Tensor::full({8}, 1.0, Dtype::f32, *backend);
    for (int i = 0; i < 2; ++i) {
      backend->batch_norm({given.x.to(*backend), one, one}, given.groups, 1e-5, running);
    }
    CHECK(running.batches.item() == 9.0);
  }
}

}  // namespace cograd::testing
