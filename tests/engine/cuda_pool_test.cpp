// Pooling on cuda against the reference.
#include <cmath>
#include <limits>

#include "cograd/engine/cuda/pool_axes.h"
#include "tests/support/cuda_device.h"

namespace cograd::testing {

TEST_CASE("cuda pooling equals the reference", "[cuda]") {
  if (Backend* cuda = device()) check_pooling(*cuda, {[](const Tensor& t) { return t; }});
}

TEST_CASE("divisions by multiplication are exact", "[cuda]") {
  for (const int d :
       {1, 2, 3, 5, 6, 7, 10, 31, 64, 147, 255, 1000, 65535, (1 << 30) - 1, 1 << 30}) {
    const cuda::Divisor divisor(d);
    for (std::int64_t near = 0; near < std::numeric_limits<int>::max(); near += 98765431) {
      for (std::int64_t n = near / d * d - 2; n < near / d * d + 3; ++n) {
        if (n >= 0) CHECK(divisor.divide(static_cast<int>(n)) == n / d);
      }
    }
    CHECK(divisor.divide(std::numeric_limits<int>::max()) == std::numeric_limits<int>::max() / d);
  }
}

TEST_CASE("cuda pools windows whose places take more than a byte", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(89);
  const PoolGeometry geometry{.kernel = {17, 16}, .stride = {2, 1}, .padding = {3, 0}};
  compare(*cuda, {random_f32({2, 8, 19, 18}, random)}, {}, 1,
          [&](auto& x, auto&) { return max_pool2d(x[0], geometry); });
  const Tensor x = Tensor::zeros({1, 1, 70, 70}, Dtype::f32, *cuda);
  CHECK_THROWS_WITH(cuda->avg_pool(x, {.kernel = {65, 2}}), contains("expected at most 64"));
}

TEST_CASE("cuda pools NaN like the reference, and passes gradients to the same places", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values(std::size_t{16} * 25, -inf);  // [1, 16, 5, 5], and channel by channel:
  for (std::size_t i = 0; i < 25; ++i) values[25 * 3 + i] = i == 12 || i == 13 ? nan : 1.0f;
  for (std::size_t i = 0; i < 25; ++i) values[25 * 7 + i] = nan;
  const PoolGeometry geometry{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  const auto run = [&](Backend& backend) {
    const Tensor x = Tensor::from(values, {1, 16, 5, 5}, reference_backend()).to(backend);
    const MaxPoolResult result = backend.max_pool(x, geometry);
    const Tensor dy = Tensor::full(result.y.shape(), 1.0, Dtype::f32, backend);
    std::vector<float> all = result.y.to_vector<float>();
    const std::vector<float> dx =
        backend.max_pool_backward(dy, result.saved, x.shape(), geometry).to_vector<float>();
    all.insert(all.end(), dx.begin(), dx.end());
    return all;
  };
  const std::vector<float> expected = run(reference_backend()), got = run(*cuda);
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK((got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))));
  }
}

}  // namespace cograd::testing
