// The vector loops of every instruction set of this machine against plain loops.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/elementwise.h"
#include "cograd/engine/cpu/reduced_matmul.h"
#include "cograd/engine/cpu/simd/instruction_set.h"
#include "cograd/engine/cpu/update.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/threads.h"

namespace cograd {
namespace {

using testing::count_different;
using testing::instruction_sets;
using testing::numbers;
using testing::Using;
using Kind = Reduction::Kind;

const std::int64_t kSizes[] = {0, 1, 3, 17, 64, 1000, 4097, 100003};

TEST_CASE("element-wise vector loops", "[simd]") {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const std::int64_t n : kSizes) {
      CAPTURE(name, n);
      const auto a = numbers(n, 1), b = numbers(n, 2);
      auto x = a;
      if (n >= 17) x[3] = std::numeric_limits<float>::quiet_NaN(), x[5] = 0.0f;
      const auto size = x.size();
      std::vector<float> sum(size), rectified(size), gated(size), decayed(size);
      for (std::size_t i = 0; i < size; ++i) {
        sum[i] = a[i] + b[i];
        rectified[i] = std::isnan(x[i]) ? x[i] : std::max(x[i], 0.0f);
        gated[i] = x[i] > 0 ? b[i] : 0.0f;
        decayed[i] = a[i] + 0.25f * b[i];
      }
      std::vector<float> out(size);
      cpu::add(a.data(), b.data(), out.data(), n);
      CHECK(out == sum);
      out = a;
      cpu::add(out.data(), b.data(), out.data(), n);
      CHECK(out == sum);
      cpu::relu(x.data(), out.data(), n);
      CHECK(count_different(out, rectified, 0) == 0);
      out = x;
      cpu::relu(out.data(), out.data(), n);
      CHECK(count_different(out, rectified, 0) == 0);
      cpu::relu_backward(x.data(), b.data(), out.data(), n);
      CHECK(out == gated);
      out = b;
      cpu::relu_backward(x.data(), out.data(), out.data(), n);
      CHECK(out == gated);
      cpu::decayed_gradient(a.data(), b.data(), 0.25, out.data(), n);
      CHECK(count_different(out, decayed, 1e-6) == 0);
    }
  }
}

TEST_CASE("reduced outer products equal reduced stacks of them", "[simd]") {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const std::int64_t k : {3, 9, 20}) {
      const std::int64_t m = 7, n = 150;
      const auto a = numbers(k * m, 49), b = numbers(k * n, 50);
      std::vector<float> stack(static_cast<std::size_t>(k * m * n)), expected(stack.size() / k),
          got(expected.size());
      for (std::int64_t g = 0; g < k; ++g) {
        for (std::int64_t i = 0; i < m * n; ++i) {
          stack[static_cast<std::size_t>(g * m * n + i)] =
              a[static_cast<std::size_t>(g * m + i / n)] *
              b[static_cast<std::size_t>(g * n + i % n)];
        }
      }
      for (const Reduction& reduction :
           {Reduction{.kind = Kind::median}, Reduction{.kind = Kind::mean},
            Reduction{.kind = Kind::winsorized_mean, .percent = 8}}) {
        CAPTURE(name, k, static_cast<int>(reduction.kind));
        GroupNorms norms, expected_norms;
        cpu::reduce(reduction, stack.data(), k, m * n, expected.data(), &expected_norms);
        cpu::reduce_outer_products(reduction, a.data(), b.data(), k, m, n, got.data(), &norms);
        CHECK(got == expected);
        CHECK(norms.squared_mean == Approx(expected_norms.squared_mean));
        CHECK(norms.mean_squared == Approx(expected_norms.mean_squared));
      }
    }
  }
}

TEST_CASE("vectorized SGD updates", "[simd]") {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const std::int64_t n : kSizes) {
      for (const int rule : {0, 1, 2}) {  // plain, momentum, Nesterov
        CAPTURE(name, n, rule);
        const SgdCoefficients coefficients{.learning_rate = 0.1,
                                           .momentum = rule == 0 ? 0.0 : 0.9,
                                           .weight_decay = 0.01,
                                           .nesterov = rule == 2};
        // Two parameters, the second longer than a thread takes at a time.
        const std::int64_t all = n + 70'001;
        auto p = numbers(all, 3), v = numbers(all, 4);
        const auto g = numbers(all, 5);
        auto expected_p = p, expected_v = v;
        for (std::size_t i = 0; i < p.size(); ++i) {
          const double d = g[i] + 0.01 * p[i];
          const double velocity = 0.9 * v[i] + d;
          if (rule > 0) expected_v[i] = static_cast<float>(velocity);
          const double step = rule == 0 ? d : rule == 1 ? velocity : d + 0.9 * velocity;
          expected_p[i] = static_cast<float>(p[i] - 0.1 * step);
        }
        const auto arrays = [&](std::int64_t begin, std::int64_t size) {
          return cpu::ParameterArrays{.p = p.data() + begin,
                                      .g = g.data() + begin,
                                      .v = rule == 0 ? nullptr : v.data() + begin,
                                      .n = size};
        };
        cpu::sgd_update(std::array{arrays(0, n), arrays(n, all - n)}, coefficients);
        CHECK(count_different(p, expected_p, 1e-6 * 100) == 0);
        CHECK(count_different(v, expected_v, 1e-6 * 100) == 0);
      }
    }
  }
}

TEST_CASE("Adam's updates have the same bits on every instruction set and number of threads",
          "[simd]") {
  for (const std::int64_t n : kSizes) {
    // Two parameters, the second longer than a thread takes at a time.
    const std::int64_t all = n + 70'001;
    std::vector<std::vector<float>> results;
    for (const std::string& name : instruction_sets()) {
      const Using chosen(name);
      for (const int threads : {1, 2}) {
        const testing::Threads scope(threads);
        auto p = numbers(all, 3), m = numbers(all, 4), v = numbers(all, 6);
        const auto g = numbers(all, 5);
        for (float& square : v) square *= square;
        const auto arrays = [&](std::int64_t begin, std::int64_t size) {
          return cpu::AdamArrays{.p = p.data() + begin,
                                 .g = g.data() + begin,
                                 .m = m.data() + begin,
                                 .v = v.data() + begin,
                                 .n = size};
        };
        cpu::adam_update(std::array{arrays(0, n), arrays(n, all - n)}, 7, {.weight_decay = 0.1});
        p.insert(p.end(), m.begin(), m.end());
        p.insert(p.end(), v.begin(), v.end());
        results.push_back(std::move(p));
        CAPTURE(name, n, threads);
        CHECK(results.back() == results.front());
      }
    }
  }
}

/// The definition, coordinate by coordinate, in double.
float reduced(const Reduction& reduction, std::vector<double> x) {
  std::sort(x.begin(), x.end());
  const std::size_t k = x.size();
  std::size_t begin = 0, end = k;
  if (reduction.kind == Kind::median) begin = (k - 1) / 2, end = k / 2 + 1;
  if (reduction.kind == Kind::trimmed_mean) {
    begin = static_cast<std::size_t>(reduction.trim);
    end = k - begin;
  }
  if (reduction.kind == Kind::winsorized_mean) {
    const auto rank = [&](double percent) {
      return static_cast<std::size_t>(std::nearbyint(static_cast<double>(k - 1) * percent / 100.0));
    };
    const double low = x[rank(reduction.percent)], high = x[rank(100 - reduction.percent)];
    for (double& value : x) value = std::clamp(value, low, high);
  }
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += x[i];
  return static_cast<float>(sum / static_cast<double>(end - begin));
}

std::vector<Reduction> reductions_of(std::int64_t k) {
  std::vector<Reduction> all{{.kind = Kind::mean},
                             {.kind = Kind::median},
                             {.kind = Kind::winsorized_mean, .percent = 2},
                             {.kind = Kind::winsorized_mean, .percent = 8},
                             {.kind = Kind::winsorized_mean, .percent = 50}};
  for (std::int64_t trim = 0; 2 * trim < k; trim = 2 * trim + 1) {
    all.push_back({.kind = Kind::trimmed_mean, .trim = trim});
  }
  return all;
}

void check_reductions(std::int64_t k, std::int64_t n) {
  const auto stack = numbers(k * n, 6);
  for (const Reduction& reduction : reductions_of(k)) {
    CAPTURE(k, n, static_cast<int>(reduction.kind), reduction.trim, reduction.percent);
    std::vector<float> expected;
    GroupNorms norms, expected_norms;
    for (std::int64_t i = 0; i < n; ++i) {
      std::vector<double> x;
      double sum = 0;
      for (std::int64_t g = 0; g < k; ++g) {
        x.push_back(stack[static_cast<std::size_t>(g * n + i)]);
        sum += x.back();
        expected_norms.mean_squared += x.back() * x.back() / static_cast<double>(k);
      }
      expected_norms.squared_mean += sum * sum / static_cast<double>(k * k);
      expected.push_back(reduced(reduction, x));
    }
    std::vector<float> out(static_cast<std::size_t>(n)), without_norms(out);
    cpu::reduce(reduction, stack.data(), k, n, out.data(), &norms);
    CHECK(count_different(out, expected, 2e-7) == 0);
    CHECK(norms.squared_mean == Approx(expected_norms.squared_mean).epsilon(1e-11));
    CHECK(norms.mean_squared == Approx(expected_norms.mean_squared).epsilon(1e-11));
    cpu::reduce(reduction, stack.data(), k, n, without_norms.data(), nullptr);
    CHECK(without_norms == out);
  }
}

TEST_CASE("vectorized reductions", "[simd][aggregation]") {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    CAPTURE(name);
    for (std::int64_t k = 1; k <= 20; ++k) {
      for (const std::int64_t n : {1, 3, 17, 64, 65, 1000}) check_reductions(k, n);
    }
    for (const std::int64_t k : {3, 9}) check_reductions(k, 30001);  // several blocks
    for (const std::int64_t k : {31, 63, 100, 256}) {
      for (const std::int64_t n : {1, 130, 1500}) check_reductions(k, n);
    }
  }
  std::vector<float> out;
  GroupNorms norms{1.0, 1.0};
  cpu::reduce({.kind = Kind::median}, nullptr, 3, 0, out.data(), &norms);
  CHECK(norms.mean_squared == 0.0);
}

TEST_CASE("results depend neither on threads nor on the instruction set", "[simd][determinism]") {
  const std::int64_t n = 100003;
  for (const std::int64_t k : {3, 20}) {
    const auto stack = numbers(k * n, 8);
    for (const Reduction& reduction : reductions_of(k)) {
      CAPTURE(k, static_cast<int>(reduction.kind), reduction.trim);
      std::vector<float> first;
      GroupNorms first_norms;
      for (const std::string& name : instruction_sets()) {
        const Using chosen(name);
        for (const int threads : {1, 2, 3}) {
          CAPTURE(name, threads);
          std::vector<float> out(static_cast<std::size_t>(n));
          GroupNorms norms;
          {
            const testing::Threads scope(threads);
            cpu::reduce(reduction, stack.data(), k, n, out.data(), &norms);
          }
          if (first.empty()) {
            first = out;
            first_norms = norms;
          }
          CHECK(out == first);
          CHECK(norms.squared_mean == first_norms.squared_mean);
          CHECK(norms.mean_squared == first_norms.mean_squared);
        }
      }
    }
  }
}

TEST_CASE("wrong arguments of the vector loops", "[simd]") {
  const std::string before(simd::instruction_set());
  CHECK_THROWS_AS(simd::set_instruction_set("sse9"), ValueError);
  CHECK(simd::instruction_set() == before);
  float x[4] = {};
  CHECK_THROWS_AS(cpu::reduce({}, x, 0, 4, x, nullptr), ValueError);
  CHECK_THROWS_AS(cpu::reduce({.kind = Kind::trimmed_mean, .trim = 1}, x, 2, 2, x, nullptr),
                  ValueError);
  CHECK_THROWS_AS(cpu::reduce({.kind = Kind::winsorized_mean, .percent = 51}, x, 2, 2, x, nullptr),
                  ValueError);
}

}  // namespace
}  // namespace cograd
