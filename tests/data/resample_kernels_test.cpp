// The loops that scale images, of every instruction set of this machine, against plain loops.
#include "cograd/data/resample_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "cograd/engine/random.h"
#include "tests/support/catch.h"
#include "tests/support/instruction_sets.h"

namespace cograd {
namespace {

using testing::count_different;
using testing::instruction_sets;
using testing::numbers;
using testing::Using;

TEST_CASE("weighted sums of rows of bytes", "[simd]") {
  Random random(31);
  for (const std::int64_t n : {1, 3, 17, 64, 255, 1001}) {
    for (const std::int64_t k : {1, 2, 3, 4, 5, 9}) {
      const std::int64_t stride = n + 5;
      std::vector<std::uint8_t> rows(static_cast<std::size_t>(k * stride));
      for (auto& byte : rows) byte = static_cast<std::uint8_t>(random.below(256));
      const std::vector<float> weights = numbers(k, 32);
      std::vector<float> expected(static_cast<std::size_t>(n), 0.0f);
      for (std::int64_t r = 0; r < k; ++r) {
        for (std::int64_t i = 0; i < n; ++i) {
          expected[static_cast<std::size_t>(i)] +=
              weights[static_cast<std::size_t>(r)] * rows[static_cast<std::size_t>(r * stride + i)];
        }
      }
      for (const std::string& name : instruction_sets()) {
        CAPTURE(name, n, k);
        const Using instruction_set(name);
        std::vector<float> got(static_cast<std::size_t>(n + 1), -7.0f);
        resampling::kernels().weighted_rows(rows.data(), stride, weights.data(), k, got.data(), n);
        CHECK(got.back() == -7.0f);
        got.pop_back();
        CHECK(count_different(got, expected, 1e-5) == 0);
      }
    }
  }
}

TEST_CASE("vectorized sums of pixels", "[simd]") {
  Random random(33);
  for (const std::int64_t outputs : {1, 4, 7, 64}) {
    for (const std::int64_t count : {1, 2, 3, 4, 5, 6}) {
      const std::int64_t rounded = (outputs + 3) / 4 * 4, plane = outputs + 2;
      const std::vector<float> row = numbers(4 * 100, 34);
      std::vector<std::int64_t> first(static_cast<std::size_t>(rounded));
      std::vector<float> weights(static_cast<std::size_t>(4 * rounded * count));
      std::vector<float> expected(static_cast<std::size_t>(3 * plane), -7.0f);
      const resampling::PixelSums sums{.outputs = outputs,
                                       .count = count,
                                       .first = first.data(),
                                       .weights = weights.data(),
                                       .scale = {2, 3, 4},
                                       .shift = {5, 6, 7}};
      for (std::int64_t i = 0; i < outputs; ++i) {
        const auto from = static_cast<std::int64_t>(random.below(94));
        first[static_cast<std::size_t>(i)] = from;
        std::array<float, 3> sum{};
        for (std::int64_t k = 0; k < count; ++k) {
          const float weight = random.uniform();
          std::fill_n(weights.begin() + 16 * (i / 4 * count + k) + 4 * (i % 4), 4, weight);
          for (std::size_t c = 0; c < 3; ++c) {
            sum[c] += weight * row[static_cast<std::size_t>(4 * (from + k)) + c];
          }
        }
        for (std::size_t c = 0; c < 3; ++c) {
          expected[c * static_cast<std::size_t>(plane) + static_cast<std::size_t>(i)] =
              sum[c] * sums.scale[c] + sums.shift[c];
        }
      }
      for (const std::string& name : instruction_sets()) {
        CAPTURE(name, outputs, count);
        const Using instruction_set(name);
        std::vector<float> got(static_cast<std::size_t>(3 * plane), -7.0f);
        resampling::kernels().weighted_pixels(sums, row.data(), got.data(), plane);
        CHECK(got == expected);
      }
    }
  }
}

}  // namespace
}  // namespace cograd
