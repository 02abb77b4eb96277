// Philox and what is drawn from it.
#include "cograd/engine/random.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/support/catch.h"

namespace cograd::testing {

TEST_CASE("Philox4x32-10 gives the published answers", "[random]") {
  // Known answers published with the Random123 library of the paper's authors.
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) ==
        std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams are functions of seed, stream and position", "[random]") {
  Random a(7, 1), b(7, 1), other_stream(7, 2), other_seed(8, 1);
  std::vector<std::uint32_t> words;
  for (int i = 0; i < 100; ++i) words.push_back(a.next());
  for (std::size_t i = 0; i < words.size(); ++i) CHECK(b.at(i) == words[i]);
  b.seek(50);
  CHECK(b.next() == words[50]);
  CHECK(other_stream.next() != words[0]);
  CHECK(other_seed.next() != words[0]);
}

TEST_CASE("moments of uniform and normal draws", "[random]") {
  constexpr int n = 200'000;
  Random random(9);
  double sum = 0, squares = 0, low = 1, high = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    sum += u;
    squares += u * u;
    low = std::min(low, u);
    high = std::max(high, u);
  }
  CHECK(low >= 0.0);
  CHECK(high < 1.0);
  CHECK(sum / n == Approx(0.5).margin(5 * 0.2887 / std::sqrt(n)));
  CHECK(squares / n == Approx(1.0 / 3).margin(5 * 0.2981 / std::sqrt(n)));
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(-3.0, 5.0);
    low = std::min(low, u);
    high = std::max(high, u);
  }
  CHECK(low >= -3.0);
  CHECK(high < 5.0);
  CHECK(low == Approx(-3.0).margin(1e-3));  // the nearest of n draws is 1/n of the range away
  CHECK(high == Approx(5.0).margin(1e-3));
  sum = squares = 0;
  double fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double v = random.normal();
    sum += v;
    squares += v * v;
    fourth += v * v * v * v;
  }
  CHECK(sum / n == Approx(0.0).margin(5 / std::sqrt(n)));
  CHECK(squares / n == Approx(1.0).margin(5 * std::sqrt(2.0 / n)));
  CHECK(fourth / n == Approx(3.0).margin(5 * std::sqrt(96.0 / n)));
}

TEST_CASE("below() is unbiased and shuffle permutes", "[random]") {
  Random random(10);
  // Without rejection, half of the numbers below 3 * 2^30 would be multiples of 3.
  constexpr int draws = 30'000;
  int multiples = 0;
  for (int i = 0; i < draws; ++i) multiples += random.below(std::uint64_t{3} << 30) % 3 == 0;
  CHECK(multiples == Approx(draws / 3.0).margin(5 * std::sqrt(draws * 2.0 / 9.0)));
  CHECK(random.below(1) == 0);
  std::vector<int> counts(7, 0);
  constexpr int n = 70'000;
  for (int i = 0; i < n; ++i) ++counts[random.below(7)];
  double chi_squared = 0;
  for (int c : counts) chi_squared += (c - 10'000.0) * (c - 10'000.0) / 10'000.0;
  CHECK(chi_squared < 32.0);  // 6 degrees of freedom: beyond it one time in 60,000
  std::vector<int> order(1000), sorted(1000);
  std::iota(order.begin(), order.end(), 0);
  std::iota(sorted.begin(), sorted.end(), 0);
  shuffle(order.begin(), order.end(), random);
  CHECK(order != sorted);
  std::sort(order.begin(), order.end());
  CHECK(order == sorted);
}

}  // namespace cograd::testing
