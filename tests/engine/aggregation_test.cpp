// Order statistics, and the aggregators made of them.
#include "cograd/engine/cpu/aggregation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/order_statistics.h"
#include "cograd/engine/aggregation/selection_network.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "tests/support/golden.h"

namespace cograd {
namespace {

using testing::contains;
using Kind = Reduction::Kind;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> normal_numbers(std::int64_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

/// The definition of an OrderedSum, by sorting.
double sorted_sum(std::vector<float> x, const OrderedSum& sum) {
  std::sort(x.begin(), x.end());
  const auto at = [&](std::int64_t i) -> double { return x[static_cast<std::size_t>(i)]; };
  double total = 0;
  for (std::int64_t i = sum.first; i <= sum.last; ++i) total += at(i);
  if (sum.below > 0) total += static_cast<double>(sum.below) * at(sum.first);
  if (sum.above > 0) total += static_cast<double>(sum.above) * at(sum.last);
  return total * sum.scale;
}

/// A network that sorts every sequence of zeros and ones sorts everything (Knuth, 5.3.4, theorem
/// Z): for up to 16 values that is a proof, above it a sample.
template <int K>
void check_sort() {
  const bool exhaustive = K <= 16;
  const std::uint32_t cases = exhaustive ? 1u << std::min(K, 16) : 20000;
  Random random(K);
  int failures = 0;
  for (std::uint32_t bits = 0; bits < cases; ++bits) {
    float x[K];
    for (int k = 0; k < K; ++k) {
      x[k] =
          exhaustive ? static_cast<float>(bits >> k & 1) : static_cast<float>(random.below(2 * K));
    }
    float expected[K];
    std::copy(x, x + K, expected);
    std::sort(expected, expected + K);
    sort(x);
    failures += !std::equal(x, x + K, expected);
  }
  CAPTURE(K, cases);
  CHECK(failures == 0);
}

template <int... Is>
void check_sorts(std::integer_sequence<int, Is...>) {
  (check_sort<Is + 1>(), ...);
}

TEST_CASE("sorting networks sort", "[aggregation]") {
  check_sorts(std::make_integer_sequence<int, 16>{});
  check_sort<31>();
  check_sort<63>();
  for (const std::int64_t k : {1, 2, 31, 63, 100, 257}) {
    auto x = normal_numbers(k, 7);
    auto expected = x;
    std::sort(expected.begin(), expected.end());
    for_each_comparator(k, [&](std::int32_t i, std::int32_t j) {
      compare_exchange(x[static_cast<std::size_t>(i)], x[static_cast<std::size_t>(j)]);
    });
    CAPTURE(k);
    CHECK(x == expected);
  }
}

TEST_CASE("small order statistics in registers", "[aggregation]") {
  const auto numbers = normal_numbers(9000, 3);
  for (std::size_t i = 0; i + 9 <= numbers.size(); i += 9) {
    float nine[9];
    float eight[8];
    float trimmed[9];
    std::copy_n(&numbers[i], 9, nine);
    std::copy_n(&numbers[i], 8, eight);
    std::copy_n(&numbers[i], 9, trimmed);
    const std::vector<float> x(nine, nine + 9);
    REQUIRE(median(nine) == static_cast<float>(sorted_sum(x, median_of(9))));
    REQUIRE(median(eight) ==
            Approx(sorted_sum({x.begin(), x.end() - 1}, median_of(8))).epsilon(1e-6).margin(1e-9));
    REQUIRE(trimmed_mean<2>(trimmed) ==
            Approx(sorted_sum(x, trimmed_mean_of(9, 2))).epsilon(1e-6).margin(1e-9));
  }
  for (int position = 0; position < 5; ++position) {
    float x[] = {3, kInfinity, 1, -kInfinity, 2};
    CHECK(median(x) == 2.0f);
    x[position] = kNan;
    CHECK(std::isnan(median(x)));
  }
  float one[] = {4};
  CHECK(median(one) == 4.0f);
}

TEST_CASE("selection networks place what the sum reads", "[aggregation]") {
  const auto check = [](std::int64_t k, const OrderedSum& sum, std::vector<float> x) {
    const double expected = sorted_sum(x, sum);
    for (const Comparator& c : selection_network(k, sum)) {
      float& low = x[static_cast<std::size_t>(c.low)];
      float& high = x[static_cast<std::size_t>(c.high)];
      compare_exchange(low, high);
      // What is not kept must not matter.
      if (!c.keeps_low) low = kNan;
      if (!c.keeps_high) high = kNan;
    }
    double total = 0;
    for (std::int64_t i = sum.first; i <= sum.last; ++i) total += x[static_cast<std::size_t>(i)];
    if (sum.below > 0) {
      total += static_cast<double>(sum.below) * x[static_cast<std::size_t>(sum.first)];
    }
    if (sum.above > 0) {
      total += static_cast<double>(sum.above) * x[static_cast<std::size_t>(sum.last)];
    }
    return std::abs(total * sum.scale - expected) <= 1e-9;
  };
  const auto rules = [](std::int64_t k) {
    std::vector<OrderedSum> sums{mean_of(k), median_of(k)};
    for (std::int64_t trim = 1; 2 * trim < k; trim += 1 + k / 16) {
      sums.push_back(trimmed_mean_of(k, trim));
    }
    for (const double percent : {1.0, 2.0, 4.0, 8.0, 20.0, 35.0, 50.0}) {
      sums.push_back(winsorized_mean_of(k, percent));
    }
    return sums;
  };
  for (std::int64_t k = 1; k <= 12; ++k) {
    for (const OrderedSum& sum : rules(k)) {
      int failures = 0;
      for (std::uint32_t bits = 0; bits < 1u << k; ++bits) {  // zeros and ones, as above
        std::vector<float> x;
        for (std::int64_t i = 0; i < k; ++i) x.push_back(static_cast<float>(bits >> i & 1));
        failures += !check(k, sum, x);
      }
      CAPTURE(k, sum.first, sum.last, sum.below, sum.above);
      CHECK(failures == 0);
    }
  }
  for (const std::int64_t k : {31, 63, 64, 100, 256}) {
    for (const OrderedSum& sum : rules(k)) {
      CAPTURE(k, sum.first, sum.last, sum.below, sum.above);
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        CHECK(check(k, sum, normal_numbers(k, seed)));
      }
    }
  }
}

TEST_CASE("percentile ranks", "[aggregation]") {
  CHECK(percentile_index(6, 10) == 0);   // 0.5
  CHECK(percentile_index(16, 10) == 2);  // 1.5
  CHECK(percentile_index(10, 50) == 4);  // 4.5
  CHECK(percentile_index(100, 99) == 98);
  CHECK(percentile_index(1, 100) == 0);
}

TEST_CASE("golden percentile indices", "[aggregation][golden]") {
  for (const auto& fixture : testing::fixtures("aggregator")) {
    if (!fixture.has("low_index")) continue;
    const auto count = fixture["count"].to_vector<std::int64_t>();
    const auto percent = fixture["percent"].to_vector<std::int64_t>();
    const auto low = fixture["low_index"].to_vector<std::int64_t>();
    const auto high = fixture["high_index"].to_vector<std::int64_t>();
    for (std::size_t row = 0; row < count.size(); ++row) {
      const auto c = static_cast<double>(percent[row]);
      CAPTURE(count[row], c);
      CHECK(percentile_index(count[row], c) == low[row]);
      CHECK(percentile_index(count[row], 100 - c) == high[row]);
    }
  }
}

// --- properties of the reductions ----------------------------------------------------------------

const Reduction kReductions[] = {
    {.kind = Kind::mean},
    {.kind = Kind::median},
    {.kind = Kind::trimmed_mean, .trim = 2},
    {.kind = Kind::winsorized_mean, .percent = 8},
};

std::vector<float> reduce(const Reduction& reduction, const std::vector<float>& stack,
                          std::int64_t k, GroupNorms* norms = nullptr) {
  const auto n = static_cast<std::int64_t>(stack.size()) / k;
  std::vector<float> out(static_cast<std::size_t>(n));
  cpu::reduce(reduction, stack.data(), k, n, out.data(), norms);
  return out;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return worst;
}

TEST_CASE("reductions do not depend on the order of the groups", "[aggregation]") {
  const std::int64_t n = 97;
  for (const std::int64_t k : {5, 8, 20, 33}) {
    const auto stack = normal_numbers(k * n, 11);
    std::vector<float> shuffled;
    for (std::int64_t g = 0; g < k; ++g) {
      const auto row = stack.begin() + (g * 3 + 1) % k * n;  // 3 divides none of the k but 33
      shuffled.insert(shuffled.end(), k == 33 ? stack.end() - (g + 1) * n : row,
                      k == 33 ? stack.end() - g * n : row + n);
    }
    for (const Reduction& reduction : kReductions) {
      CAPTURE(k, static_cast<int>(reduction.kind));
      CHECK(distance(reduce(reduction, stack, k), reduce(reduction, shuffled, k)) <= 2e-7);
    }
  }
}

TEST_CASE("reductions of one group, shifted and scaled groups", "[aggregation]") {
  const std::int64_t k = 7, n = 65;
  const auto one = normal_numbers(n, 13);
  const auto stack = normal_numbers(k * n, 17);
  auto shifted = stack;
  auto scaled = stack;
  for (float& v : shifted) v += 2.0f;
  for (float& v : scaled) v *= -4.0f;
  for (const Reduction& reduction : kReductions) {
    CAPTURE(static_cast<int>(reduction.kind));
    if (reduction.kind != Kind::trimmed_mean) CHECK(reduce(reduction, one, 1) == one);
    const auto base = reduce(reduction, stack, k);
    auto plus = base;
    auto times = base;
    for (float& v : plus) v += 2.0f;
    for (float& v : times) v *= -4.0f;
    CHECK(distance(reduce(reduction, shifted, k), plus) <= 1e-6);
    CHECK(reduce(reduction, scaled, k) == times);
  }
}

TEST_CASE("NaN propagates, infinities are values", "[aggregation]") {
  const std::int64_t n = 67;
  for (const std::int64_t k : {5, 18}) {
    for (const Reduction& reduction : kReductions) {
      CAPTURE(k, static_cast<int>(reduction.kind));
      auto stack = normal_numbers(k * n, 19);
      const auto clean = reduce(reduction, stack, k);
      for (std::int64_t g = 0; g < k; ++g) stack[static_cast<std::size_t>(g * n + g)] = kNan;
      stack[static_cast<std::size_t>(n - 1)] = kNan;  // in the unfinished last tile
      const auto out = reduce(reduction, stack, k);
      for (std::int64_t i = 0; i < n; ++i) {
        CAPTURE(i);
        const auto at = static_cast<std::size_t>(i);
        if (i < k || i == n - 1) {
          CHECK(std::isnan(out[at]));
        } else {
          CHECK(out[at] == clean[at]);
        }
      }
    }
    std::vector<float> stack(static_cast<std::size_t>(k), 1.0f);
    stack[1] = kInfinity;
    stack[3] = -kInfinity;
    CHECK(reduce({.kind = Kind::median}, stack, k)[0] == 1.0f);
    CHECK(reduce({.kind = Kind::trimmed_mean, .trim = 1}, stack, k)[0] == 1.0f);
    CHECK(reduce({.kind = Kind::winsorized_mean, .percent = 25}, stack, k)[0] == 1.0f);
    CHECK(std::isnan(reduce({.kind = Kind::mean}, stack, k)[0]));
    stack[3] = 1.0f;
    CHECK(reduce({.kind = Kind::mean}, stack, k)[0] == kInfinity);
  }
}

TEST_CASE("coherence is 1 for equal groups and 1/K for orthogonal ones", "[aggregation]") {
  for (const std::int64_t k : {1, 3, 4, 20}) {
    const std::int64_t n = 30 * k;
    const auto row = normal_numbers(n, 23);
    std::vector<float> equal;
    std::vector<float> orthogonal(static_cast<std::size_t>(k * n), 0.0f);
    for (std::int64_t g = 0; g < k; ++g) {
      equal.insert(equal.end(), row.begin(), row.end());
      for (std::int64_t i = 0; i < 30; ++i) {
        orthogonal[static_cast<std::size_t>(g * n + g * 30 + i)] = 0.5f;
      }
    }
    for (const Kind kind : {Kind::mean, Kind::median}) {
      CAPTURE(k, static_cast<int>(kind));
      GroupNorms norms;
      CHECK(reduce({.kind = kind}, equal, k, &norms) == row);
      CHECK(norms.squared_mean / norms.mean_squared == Approx(1.0).epsilon(1e-12));
      reduce({.kind = kind}, orthogonal, k, &norms);
      CHECK(norms.mean_squared == Approx(30 * 0.25).epsilon(1e-12));
      CHECK(norms.squared_mean / norms.mean_squared ==
            Approx(1.0 / static_cast<double>(k)).epsilon(1e-12));
    }
  }
}

// --- aggregators ---------------------------------------------------------------------------------

TEST_CASE("aggregators are read from their names", "[aggregation]") {
  for (const char* text :
       {"mean", "mean:3", "m3", "mom:1", "mom:5", "rm3", "ra3", "rm5", "trimmed:5,2", "trimmed:4,0",
        "winsorized:0", "winsorized:8", "winsorized:2.5"}) {
    CAPTURE(text);
    CHECK(parse_aggregator(text)->name() == text);
  }
  CHECK(parse_aggregator("mom:3")->name() == "m3");
  CHECK(parse_aggregator("m3")->groups(256) == 3);
  CHECK(parse_aggregator("m3")->over_groups().kind == Kind::median);
  CHECK(parse_aggregator("winsorized:2")->groups(17) == 17);
  CHECK(parse_aggregator("winsorized:2")->over_groups().percent == 2.0);
  CHECK(parse_aggregator("trimmed:5,2")->over_groups().trim == 2);
  const auto rolling = parse_aggregator("rm3");
  CHECK(rolling->groups(10) == 1);
  CHECK(rolling->window() == 3);
  CHECK(rolling->over_groups().kind == Kind::mean);
  CHECK(rolling->over_steps().kind == Kind::median);
  CHECK(parse_aggregator("ra3")->over_steps().kind == Kind::mean);
  CHECK(parse_aggregator("mean")->window() == 1);
  CHECK(parse_aggregator("mean:1")->name() == "mean");
  CHECK(parse_aggregator("mean:3")->groups(10) == 3);
  CHECK(parse_aggregator("mean:3")->over_groups().kind == Kind::mean);
}

TEST_CASE("what is no aggregator is refused in one line", "[aggregation]") {
  for (const char* text : {"", "sgd", "M3", "m3 ", "mom", "mom:", "mom:x", "mom:3x", "mom:1.5",
                           "mom:99999999999999999999", "rm", "trimmed:5", "trimmed:5,",
                           "trimmed:,2", "trimmed:5,1,1", "winsorized:", "winsorized:2%", "x,1"}) {
    CHECK_THROWS_WITH(parse_aggregator(text), contains("cannot read '" + std::string(text) +
                                                       "': expected mean, mean:K, m3, mom:K"));
    CHECK_THROWS_AS(parse_aggregator(text), ValueError);
  }
  CHECK_THROWS_WITH(parse_aggregator("mom:0"), "[mom:0] 0 groups: expected at least 1");
  CHECK_THROWS_AS(parse_aggregator("mean:0"), ValueError);
  CHECK_THROWS_WITH(parse_aggregator("rm0"), contains("a window of 0 steps: expected at least 1"));
  CHECK_THROWS_WITH(parse_aggregator("trimmed:4,2"), contains("expected 0 to 1"));
  CHECK_THROWS_AS(parse_aggregator("trimmed:5,-1"), ValueError);
  CHECK_THROWS_AS(parse_aggregator("trimmed:0,0"), ValueError);
  CHECK_THROWS_AS(parse_aggregator("winsorized:50"), ValueError);
  CHECK_THROWS_AS(parse_aggregator("winsorized:-1"), ValueError);
  CHECK_THROWS_AS(parse_aggregator("winsorized:nan"), ValueError);
  CHECK_THROWS_WITH(parse_aggregator("m3")->groups(2),
                    "[m3] a batch of 2 cannot be split into 3 groups: expected at least 3");
  CHECK_THROWS_AS(parse_aggregator("mean")->groups(0), ValueError);
  CHECK_THROWS_AS(parse_aggregator("trimmed:5,1")->groups(4), ValueError);
}

}  // namespace
}  // namespace cograd
