// Matrix products of every instruction set of this machine against plain loops.
#include "cograd/engine/cpu/matmul.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/cpu/aggregation.h"
#include "cograd/engine/cpu/reduced_matmul.h"
#include "tests/support/catch.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/threads.h"

namespace cograd {

using testing::instruction_sets;
using testing::numbers;
using testing::Using;

TEST_CASE("products of matrices lying in any way", "[simd]") {
  struct Size {
    std::int64_t m, n, k;
  };
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const Size& size : {Size{1, 1, 1}, Size{5, 7, 0}, Size{13, 33, 17}, Size{100, 64, 40},
                             Size{37, 95, 130}, Size{3, 32, 2500}, Size{12, 10, 1024}}) {
      const auto [m, n, k] = size;
      const auto a = numbers(m * k, 45), b = numbers(k * n, 46), bias = numbers(n, 47),
                 before = numbers(m * n, 48);
      for (int ways = 0; ways < 64; ++ways) {
        const bool a_across = ways & 1, b_across = ways & 2, accumulate = ways & 4,
                   with_bias = ways & 8, relu = ways & 16, by_rows = ways & 32;
        CAPTURE(name, m, n, k, a_across, b_across, accumulate, with_bias, relu, by_rows);
        const cpu::MatrixView left{a.data(), a_across ? 1 : k, a_across ? m : 1};
        const cpu::MatrixView right{b.data(), b_across ? 1 : n, b_across ? k : 1};
        std::vector<float> c = before;
        const cpu::Matmul product{.a = left,
                                  .b = right,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .c = c.data(),
                                  .c_row = n,
                                  .bias = with_bias ? bias.data() : nullptr,
                                  .accumulate = accumulate,
                                  .relu = relu,
                                  .by_rows = by_rows};
        cpu::matmul({&product, 1});
        double error = 0.0, norm = 0.0;
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            const auto at = static_cast<std::size_t>(i * n + j);
            double sum = accumulate ? before[at] : 0.0;
            if (with_bias) sum += bias[static_cast<std::size_t>(j)];
            for (std::int64_t l = 0; l < k; ++l) {
              sum += static_cast<double>(left.data[i * left.row + l * left.column]) *
                     right.data[l * right.row + j * right.column];
            }
            if (relu) sum = std::max(sum, 0.0);
            error += (c[at] - sum) * (c[at] - sum);
            norm += sum * sum;
          }
        }
        CHECK(error <= 1e-12 * norm);
      }
    }
  }
}

TEST_CASE("products are the same on any number of threads", "[simd][determinism]") {
  struct Size {
    std::int64_t m, n, k;
  };
  // Panels that the threads do not share evenly, down to one for all of them; products of unequal
  // work behind one another, also of none.
  const std::vector<std::vector<Size>> cases{
      {{101, 10, 257}},
      {{101, 40, 257}, {101, 40, 257}},
      {{101, 300, 257}, {101, 300, 257}},
      {{256, 784, 33}, {256, 784, 0}, {256, 784, 34}, {67, 256, 256}},
      {{5, 10, 0}, {300, 20, 300}, {1, 700, 300}, {5, 10, 0}},
  };
  for (const std::vector<Size>& sizes : cases) {
    std::vector<std::vector<float>> a, b, bias;
    for (const Size& size : sizes) {
      a.push_back(numbers(size.m * size.k, 51));
      b.push_back(numbers(size.k * size.n, 52));
      bias.push_back(numbers(size.n, 53));
    }
    for (const std::string& name : instruction_sets()) {
      const Using chosen(name);
      std::vector<std::vector<float>> first;
      for (const int threads : {1, 2, 3, 7}) {
        CAPTURE(name, sizes[0].n, sizes.size(), threads);
        std::vector<std::vector<float>> c;
        std::vector<cpu::Matmul> products;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
          const auto [m, n, k] = sizes[i];
          c.emplace_back(static_cast<std::size_t>(m * n), 1e9f);  // to be written over
          products.push_back({.a = {a[i].data(), k, 1},
                              .b = {b[i].data(), n, 1},
                              .m = m,
                              .n = n,
                              .k = k,
                              .c = c[i].data(),
                              .c_row = n,
                              .bias = bias[i].data(),
                              .by_rows = i % 2 == 1});
        }
        {
          const testing::Threads scope(threads);
          cpu::matmul(products);
        }
        if (first.empty()) {
          for (std::size_t i = 0; i < products.size(); ++i) {  // each by itself
            std::vector<float> alone(c[i].size());
            products[i].c = alone.data();
            cpu::matmul({&products[i], 1});
            first.push_back(std::move(alone));
          }
        }
        CHECK(c == first);
      }
    }
  }
}

TEST_CASE("reduced products equal reduced stacks of products", "[simd][determinism]") {
  using Kind = Reduction::Kind;
  // Of the groups' rows; one has none.
  const std::vector<std::vector<std::int64_t>> cases{{34, 33, 33}, {2, 0, 5, 1}, {1, 1, 1, 1, 1}};
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const std::vector<std::int64_t>& rows : cases) {
      for (const auto& [m, n] :
           {std::pair<std::int64_t, std::int64_t>{7, 150}, {300, 33}, {1, 1}}) {
        const auto k = std::ssize(rows), all = std::accumulate(rows.begin(), rows.end(), k - k);
        const auto a = numbers(all * m, 54), b = numbers(all * n, 55);
        const auto size = static_cast<std::size_t>(m * n);
        std::vector<float> stack(static_cast<std::size_t>(k) * size), expected(size);
        std::vector<cpu::Matmul> products;
        for (std::int64_t g = 0, first = 0; g < k; first += rows[static_cast<std::size_t>(g++)]) {
          products.push_back({.a = {a.data() + first * m, 1, m},
                              .b = {b.data() + first * n, n, 1},
                              .m = m,
                              .n = n,
                              .k = rows[static_cast<std::size_t>(g)],
                              .c = stack.data() + g * m * n,
                              .c_row = n});
        }
        cpu::matmul(products);
        for (cpu::Matmul& p : products) p.c = nullptr;
        for (const Reduction& reduction :
             {Reduction{.kind = Kind::median}, Reduction{.kind = Kind::mean},
              Reduction{.kind = Kind::winsorized_mean, .percent = 30}}) {
          GroupNorms norms, expected_norms;
          cpu::reduce(reduction, stack.data(), k, m * n, expected.data(), &expected_norms);
          for (const int threads : {1, 2, 3}) {
            CAPTURE(name, k, m, n, static_cast<int>(reduction.kind), threads);
            const testing::Threads scope(threads);
            std::vector<float> got(size, 1e9f);  // to be written over
            cpu::reduce_products(reduction, products, got.data(), &norms);
            CHECK(got == expected);
            CHECK(norms.squared_mean == Approx(expected_norms.squared_mean));
            CHECK(norms.mean_squared == Approx(expected_norms.mean_squared));
          }
        }
      }
    }
  }
}

}  // namespace cograd
