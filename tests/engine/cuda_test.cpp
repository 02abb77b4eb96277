// The cuda backend's kernels against the reference's, on random inputs of odd sizes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cograd/engine/gradient_observer.h"
#include "tests/support/accumulation_cases.h"
#include "tests/support/cuda_device.h"
#include "tests/support/update_cases.h"

namespace cograd::testing {

TEST_CASE("cuda linear equals the reference", "[cuda]") {
  if (Backend* cuda = device()) check_linear(*cuda);
}

TEST_CASE("cuda convolution equals the reference", "[cuda]") {
  if (Backend* cuda = device()) check_convolution(*cuda);
}

TEST_CASE("cuda products in TF32, by the fastest ways, are near the reference's", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  cuda::set_arithmetic({.tf32 = true, .deterministic = false});
  check_linear(*cuda, 5e-3);
  check_convolution(*cuda, 5e-3);
}

TEST_CASE("a dense layer's ReLU on cuda lets a NaN through", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(std::vector<float>{1.0f, nan, -1.0f}, {3, 1}, *cuda);
  const Tensor w = Tensor::full({2, 1}, 1.0, Dtype::f32, *cuda);
  for (const Tensor& b : {Tensor(), Tensor::zeros({2}, Dtype::f32, *cuda)}) {
    const std::vector<float> y = cuda->linear(x, w, b, Epilogue::relu).to_vector<float>();
    CHECK(y[0] == 1.0f);
    CHECK(std::isnan(y[2]));
    CHECK(std::isnan(y[3]));
    CHECK(y[4] == 0.0f);
  }
}

TEST_CASE("cuda gradients of dense layers, of groups at any address", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(87);
  for (const std::int64_t out : {10, 3}) {
    const Tensor x = random_f32({100, 12}, random).to(Dtype::bf16).to(Dtype::f32);
    const Tensor dy = random_f32({100, out}, random).to(Dtype::bf16).to(Dtype::f32);
    const Groups groups(100, 3);
    Tensor expected = Tensor::empty({3, out, 12}, Dtype::f32, reference_backend());
    reference_backend().linear_weight_gradient(x, dy, groups, {expected});
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      CAPTURE(out, name_of(dtype));
      Tensor dw = Tensor::empty({3, out, 12}, Dtype::f32, *cuda);
      cuda->linear_weight_gradient(x.to(*cuda).to(dtype), dy.to(*cuda).to(dtype), groups, {dw});
      check_same(dw, expected, "dw");
    }
  }
}

TEST_CASE("cuda gradients of convolutions whose weights are an odd number", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(89);
  const Groups groups(9, 3);
  for (const std::int64_t kernel : {1, 3}) {
    const ConvGeometry geometry{.padding = {kernel / 2, kernel / 2}};
    const Tensor x = random_f32({9, 5, 6, 7}, random).to(Dtype::bf16).to(Dtype::f32);
    const Tensor dy = random_f32({9, 17, 6, 7}, random).to(Dtype::bf16).to(Dtype::f32);
    for (const Write write : {Write::overwrite, Write::accumulate}) {
      const Tensor before = random_f32({3, 17, 5, kernel, kernel}, random);
      Tensor expected = before.clone();
      reference_backend().conv2d_weight_gradient(x, dy, geometry, groups, {expected, write});
      for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
        CAPTURE(kernel, static_cast<int>(write), name_of(dtype));
        Tensor dw = before.to(*cuda).clone();
        cuda->conv2d_weight_gradient(x.to(*cuda).to(dtype), dy.to(*cuda).to(dtype), geometry,
                                     groups, {dw, write});
        CHECK(relative_error(dw, expected) <= (dtype == Dtype::f32 ? 1e-6 : 4e-3));
      }
    }
  }
}

TEST_CASE("copies on cuda's transfer stream keep their order", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  constexpr std::int64_t n = 100003;
  Allocator& pinned = cuda->staging_allocator();
  const std::size_t bytes = n * sizeof(float);
  auto* staging = static_cast<float*>(pinned.allocate(bytes));
  Tensor sum = Tensor::zeros({n}, Dtype::f32, *cuda);
  std::unique_ptr<Event> copied;
  for (int i = 1; i <= 20; ++i) {
    if (copied != nullptr) copied->wait();  // before the staging memory is written again
    std::fill_n(staging, n, static_cast<float>(i));
    Tensor batch = Tensor::empty({n}, Dtype::f32, *cuda);
    // The block may be one that kernels queued earlier still use.
    cuda->wait(Stream::transfer, *cuda->record(Stream::compute));
    cuda->copy_bytes(batch.raw(), staging, bytes, CopyDirection::from_host, Stream::transfer);
    copied = cuda->record(Stream::transfer);
    cuda->wait(Stream::compute, *copied);
    cuda->add_into(sum, batch);
  }
  const std::vector<float> got = sum.to_vector<float>();
  CHECK(std::count(got.begin(), got.end(), 210.0f) == n);
  pinned.deallocate(staging);
}

TEST_CASE("cuda batch norm equals the reference", "[cuda]") {
  if (Backend* cuda = device()) check_batch_norm(*cuda);
}

TEST_CASE("cuda keeps running statistics like the reference", "[cuda]") {
  if (Backend* cuda = device()) check_running_statistics(*cuda);
}

TEST_CASE("cuda element-wise ops equal the reference", "[cuda]") {
  if (Backend* cuda = device()) check_elementwise(*cuda);
}

TEST_CASE("a chain of ops on cuda equals the reference", "[cuda]") {
  if (Backend* cuda = device()) check_chain(*cuda);
}

TEST_CASE("cuda gradients accumulate over micro-batches, also over ones without rows of a group",
          "[cuda]") {
  if (Backend* cuda = device()) check_micro_batches(*cuda);
}

TEST_CASE("cuda gradients accumulate over micro-batches and shared parameters", "[cuda]") {
  if (Backend* cuda = device()) check_accumulation(*cuda);
}

TEST_CASE("cuda ops of random shapes equal the reference", "[cuda]") {
  if (Backend* cuda = device()) check_random_shapes(*cuda);
}

TEST_CASE("cuda updates parameters like the reference", "[cuda]") {
  if (Backend* cuda = device()) check_updates(*cuda);
}

TEST_CASE("cuda updates by Adam like the reference, and along PyTorch's trajectories", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  check_adam_updates(*cuda);
  check_optimizer_goldens(*cuda, Dtype::f32, 1e-6);
}

TEST_CASE("cuda ops on bf16 activations equal those on f32, rounded", "[cuda]") {
  if (Backend* cuda = device()) check_bf16(*cuda);
}

TEST_CASE("cuda images change layout and back", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(80);
  for (const Shape& shape : {Shape{3, 5, 7, 9}, Shape{2, 33, 1, 1}, Shape{1, 40, 6, 35}}) {
    CAPTURE(shape.str());
    const Tensor x = random_f32(shape, random).to(*cuda);
    const Tensor moved = cuda->split(x, std::vector<std::int64_t>{shape[1]}).front();
    CHECK(moved.layout() == Layout::channels_last);
    CHECK(moved.to_vector<float>() == x.to_vector<float>());
    const Tensor half = moved.to(Dtype::bf16);
    CHECK(half.to(Dtype::f32).to_vector<float>() ==
          x.to(Dtype::bf16).to(Dtype::f32).to_vector<float>());
    CHECK(moved.to(Dtype::f64).to_vector<double>() == x.to(Dtype::f64).to_vector<double>());
  }
}

TEST_CASE("cuda fills and converts every type", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::i32, Dtype::i64, Dtype::u8}) {
    CAPTURE(name_of(dtype));
    Tensor x = Tensor::full({5, 3}, 4.0, dtype, *cuda);
    cuda->fill(x, 3.0, Write::accumulate);
    CHECK(x.to(Dtype::i64).to_vector<std::int64_t>() == std::vector<std::int64_t>(15, 7));
    CHECK(x.to(Dtype::f32).to_vector<float>() == std::vector<float>(15, 7.0f));
  }
}

TEST_CASE("cuda makes the reference's pixels of bytes, to the bit", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(83);
  for (const std::int64_t channels : {1, 3, 16}) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(5 * channels * 7 * 13));
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random.below(256));
    std::vector<float> mean, deviation;
    for (std::int64_t c = 0; c < channels; ++c) {
      mean.push_back(static_cast<float>(random.uniform()));
      deviation.push_back(static_cast<float>(random.uniform()) + 0.1f);
    }
    const Tensor x = Tensor::from<std::uint8_t>(bytes, {5, channels, 7, 13}, reference_backend());
    const Tensor expected = reference_backend().normalize_bytes(x, mean, deviation);
    const Tensor got = cuda->normalize_bytes(x.to(*cuda), mean, deviation);
    CHECK(got.to_vector<float>() == expected.to_vector<float>());
  }
  const Tensor many = Tensor::zeros({1, 17, 2, 2}, Dtype::u8, *cuda);
  const std::vector<float> ones(17, 1.0f);
  CHECK_THROWS_WITH(cuda->normalize_bytes(many, ones, ones),
                    contains("17 channels: expected up to 16"));
}

TEST_CASE("cuda reduces groups like the reference, in every way", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  using Kind = Reduction::Kind;
  Random random(82);
  for (std::int64_t k : {1, 2, 3, 4, 5, 7, 9, 10, 15, 31, 100}) {
    std::vector<Reduction> reductions{
        {Kind::mean}, {Kind::median}, {Kind::winsorized_mean, 0, 8.0}};
    if (k > 2) reductions.push_back({Kind::trimmed_mean, (k - 1) / 3, 0.0});
    for (std::int64_t n : {1, 4, 37, 1000}) {
      // Few distinct values: ties everywhere.
      std::vector<float> values(static_cast<std::size_t>(k * n));
      for (float& v : values) v = static_cast<float>(random.below(11)) - 4.5f;
      if (n == 37) values[5] = std::numeric_limits<float>::quiet_NaN();
      if (n == 1000) values[7] = std::numeric_limits<float>::infinity();
      for (const Reduction& reduction : reductions) {
        CAPTURE(k, n, static_cast<int>(reduction.kind));
        const auto run = [&](Backend& backend, GroupNorms& norms) {
          Tensor out = Tensor::empty({n}, Dtype::f32, backend);
          backend.reduce(reduction, Tensor::from(values, {k, n}, backend), out, &norms);
          return out.to_vector<float>();
        };
        GroupNorms expected_norms, norms;
        const auto expected = run(reference_backend(), expected_norms), got = run(*cuda, norms);
        for (std::size_t i = 0; i < got.size(); ++i) {
          if (std::isnan(expected[i])) {
            CHECK(std::isnan(got[i]));
          } else {
            CHECK(got[i] == Approx(expected[i]).epsilon(1e-6));
          }
        }
        if (n == 4) {
          CHECK(norms.squared_mean == Approx(expected_norms.squared_mean));
          CHECK(norms.mean_squared == Approx(expected_norms.mean_squared));
        }
      }
    }
  }
  Tensor out = Tensor::empty({2}, Dtype::f32, *cuda);
  const Tensor stack = Tensor::zeros({4, 2}, Dtype::f32, *cuda);
  CHECK_THROWS_AS(cuda->reduce({Kind::trimmed_mean, 2, 0.0}, stack, out, nullptr), ValueError);
}

TEST_CASE("cuda reduces the products of a linear layer like the reference", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(83);
  for (const std::int64_t rows : {3, 50, 300}) {
    const Groups groups(rows, rows);
    const Tensor x = random_f32({rows, 13}, random), dy = random_f32({rows, 5}, random);
    for (const Reduction& reduction : {Reduction{Reduction::Kind::winsorized_mean, 0, 4.0},
                                       Reduction{Reduction::Kind::median}}) {
      CAPTURE(rows, static_cast<int>(reduction.kind));
      const auto run = [&](Backend& backend, GroupNorms& norms) {
        Tensor dw = Tensor::empty({5, 13}, Dtype::f32, backend);
        REQUIRE(backend.linear_reduced_gradient(x.to(backend), dy.to(backend), groups, reduction,
                                                dw, &norms));
        return dw;
      };
      GroupNorms expected_norms, norms;
      const Tensor expected = run(reference_backend(), expected_norms);
      check_same(run(*cuda, norms), expected, "dw", 1e-6);
      CHECK(norms.squared_mean == Approx(expected_norms.squared_mean).epsilon(1e-6));
      CHECK(norms.mean_squared == Approx(expected_norms.mean_squared).epsilon(1e-6));
    }
  }
}

TEST_CASE("cuda leaves the products of larger groups to cuBLASLt", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const Tensor x = Tensor::zeros({7, 13}, Dtype::f32, *cuda), dy = x;
  Tensor dw = Tensor::full({13, 13}, 2.0, Dtype::f32, *cuda);
  CHECK_FALSE(
      cuda->linear_reduced_gradient(x, dy, Groups(7, 3), {Reduction::Kind::median}, dw, nullptr));
  CHECK(dw.to_vector<float>() == std::vector<float>(13 * 13, 2.0f));
}

TEST_CASE("an observer says of cuda what it says of the reference", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(88);
  const Tensor x = random_f32({7, 12}, random), w = random_f32({5, 12}, random);
  const Tensor labels =
      Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4, 0, 1}, {7}, reference_backend());
  const Groups groups(7, 3);
  const auto observed = [&](Backend& backend) {
    Parameter parameter;
    parameter.name = "w";
    parameter.value = w.to(backend).clone();
    MedianOfMeans m3(3);
    GradientObserver observer({&parameter}, {.gsnr = true, .cosines = true});
    backward(cross_entropy(linear(Variable(x.to(backend), groups), parameter, nullptr),
                           labels.to(backend)),
             m3, observer.options());
    observer.add(groups);
    return observer.results().front();
  };
  const ObservedGradient expected = observed(reference_backend()), actual = observed(*cuda);
  CHECK(actual.mean().alpha() == Approx(expected.mean().alpha()).margin(1e-5));
  CHECK(actual.mean().variance == Approx(expected.mean().variance).epsilon(1e-5));
  CHECK(actual.gsnr == Approx(expected.gsnr).epsilon(1e-4));
  CHECK(actual.products.cosine(0, 2) == Approx(expected.products.cosine(0, 2)).margin(1e-5));
}

}  // namespace cograd::testing
