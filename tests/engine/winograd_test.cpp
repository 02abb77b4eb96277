// Winograd's algorithm of every instruction set of this machine against the plain convolution.
#include "cograd/engine/cpu/winograd.h"

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "cograd/engine/bf16.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/threads.h"

namespace cograd {
namespace {

using testing::instruction_sets;
using testing::Using;

using Bits = std::uint16_t;

template <class T>
T encoded(float value) {
  if constexpr (std::is_same_v<T, Bits>) {
    return Bf16(value).bits;
  } else {
    return value;
  }
}
template <class T>
float decoded(T value) {
  if constexpr (std::is_same_v<T, Bits>) {
    Bf16 number;
    number.bits = value;
    return number;
  } else {
    return value;
  }
}

/// One convolution. `last`: channels innermost, else in blocks of 16.
struct Case {
  std::int64_t n, in, out, height, width;
  Pair padding;
  bool last;

  std::int64_t y_height() const { return height + 2 * padding[0] - 2; }
  std::int64_t y_width() const { return width + 2 * padding[1] - 2; }
};

/// Images with their memory, of which all beyond them is NaN at first.
template <class T>
struct Batch {
  std::vector<T> memory;
  cpu::Images<T> images;

  Batch(std::int64_t n, std::int64_t channels, std::int64_t height, std::int64_t width, bool last)
      : memory(static_cast<std::size_t>(n * channels * height * width), encoded<T>(std::nanf(""))),
        images{memory.data(),
               n,
               channels,
               height,
               width,
               channels * height * width,
               last ? 16 : 16 * height * width,
               last ? channels : 16} {}

  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  T& at(std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) {
    return images.data[n * images.image + c / 16 * images.block +
                       (i * images.width + j) * images.pixel + c % 16];
  }
  /// In the order n, c, i, j.
  template <class Visit>
  void for_each(const Visit& visit) {
    for (std::int64_t n = 0; n < images.count; ++n) {
      for (std::int64_t c = 0; c < images.channels; ++c) {
        for (std::int64_t i = 0; i < images.height; ++i) {
          for (std::int64_t j = 0; j < images.width; ++j) visit(at(n, c, i, j), n, c, i, j);
        }
      }
    }
  }
  cpu::Images<const T> view() const {
    return {memory.data(), images.count, images.channels, images.height,
            images.width,  images.image, images.block,    images.pixel};
  }
};

struct Results {
  std::vector<float> y, dx, dw;
};

/// By the definition, summed up in double: y, dx and, where it accumulates onto 5, dw.
template <class T>
Results by_definition(const Case& c, Batch<T>& x, Batch<T>& dy, Batch<T>& y,
                      const std::vector<float>& w, const std::vector<float>& bias,
                      bool accumulate) {
  std::vector<double> exact_y(y.memory.size()), exact_dx(x.memory.size()), exact_dw(w.size());
  const auto index = [](const auto& batch, std::int64_t n, std::int64_t ch, std::int64_t i,
                        std::int64_t j) {
    const auto& b = batch.images;
    return static_cast<std::size_t>(((n * b.channels + ch) * b.height + i) * b.width + j);
  };
  y.for_each([&](T&, std::int64_t n, std::int64_t o, std::int64_t i, std::int64_t j) {
    const std::size_t to = index(y, n, o, i, j);
    exact_y[to] = bias[static_cast<std::size_t>(o)];
    const double g = decoded<T>(dy.at(n, o, i, j));
    for (std::int64_t k = 0; k < c.in; ++k) {
      for (std::int64_t r = 0; r < 3; ++r) {
        for (std::int64_t s = 0; s < 3; ++s) {
          const std::int64_t p = i + r - c.padding[0], q = j + s - c.padding[1];
          if (p < 0 || p >= c.height || q < 0 || q >= c.width) continue;
          const auto at = static_cast<std::size_t>((o * c.in + k) * 9 + r * 3 + s);
          const double value = decoded<T>(x.at(n, k, p, q));
          exact_y[to] += value * w[at];
          exact_dx[index(x, n, k, p, q)] += g * w[at];
          exact_dw[at] += g * value;
        }
      }
    }
  });
  const auto rounded = [](double value) {
    return decoded<T>(encoded<T>(static_cast<float>(value)));
  };
  Results results;
  for (double value : exact_y) results.y.push_back(rounded(value));
  for (double value : exact_dx) results.dx.push_back(rounded(value));
  for (double value : exact_dw) {
    results.dw.push_back(static_cast<float>(value + (accumulate ? 5.0 : 0.0)));
  }
  return results;
}

/// Everything of one convolution by the algorithm and by its definition. `draw` makes numbers, of
/// filters times `scale`.
template <class T, class Draw>
std::pair<Results, Results> run(const Case& c, const Draw& draw, float scale, bool accumulate) {
  Batch<T> x(c.n, c.in, c.height, c.width, c.last), dx(c.n, c.in, c.height, c.width, c.last);
  Batch<T> y(c.n, c.out, c.y_height(), c.y_width(), c.last),
      dy(c.n, c.out, c.y_height(), c.y_width(), c.last);
  x.for_each([&](T& value, auto...) { value = encoded<T>(draw()); });
  dy.for_each([&](T& value, auto...) { value = encoded<T>(draw()); });
  std::vector<float> w(static_cast<std::size_t>(c.out * c.in * 9)),
      bias(static_cast<std::size_t>(c.out));
  for (float& value : w) value = scale * draw();
  for (float& value : bias) value = draw();
  std::vector<float> dw(w.size(), accumulate ? 5.0f : std::nanf(""));
  const Results expected = by_definition<T>(c, x, dy, y, w, bias, accumulate);

  std::vector<std::byte> memory;
  const cpu::Workspace workspace = [&](std::int64_t bytes) {
    memory.assign(static_cast<std::size_t>(bytes) + 64, std::byte{0xff});  // NaN
    const auto beyond = reinterpret_cast<std::uintptr_t>(memory.data()) % 64;
    return memory.data() + (64 - beyond);
  };
  cpu::winograd_convolution<T>(x.view(), {w.data(), c.in * 9, 9, false}, bias.data(), c.padding,
                               y.images, workspace);
  cpu::winograd_convolution<T>(dy.view(), {w.data(), 9, c.in * 9, true}, nullptr,
                               {2 - c.padding[0], 2 - c.padding[1]}, dx.images, workspace);
  cpu::winograd_weight_gradient<T>(x.view(), dy.view(), c.padding, dw.data(), accumulate,
                                   workspace);
  Results got;
  y.for_each([&](T value, auto...) { got.y.push_back(decoded<T>(value)); });
  dx.for_each([&](T value, auto...) { got.dx.push_back(decoded<T>(value)); });
  got.dw = dw;
  return {got, expected};
}

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  double error = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(error / norm);
}

int count_different(const std::vector<float>& got, const std::vector<float>& expected) {
  int different = 0;
  for (std::size_t i = 0; i < got.size(); ++i) different += !(got[i] == expected[i]);
  return different;
}

const Case kCases[] = {
    {1, 16, 16, 4, 4, {1, 1}, false},   {3, 32, 48, 7, 6, {1, 1}, false},
    {2, 48, 32, 5, 9, {0, 2}, true},    {5, 16, 80, 3, 4, {2, 1}, true},
    {2, 144, 16, 10, 3, {1, 0}, false}, {7, 64, 64, 1, 1, {1, 1}, true},
};

}  // namespace

// Small integers, and filters in quarters' multiples: every number on the way is exact in either
// type, and so must the results be, but for the last rounding.
TEMPLATE_TEST_CASE("Winograd's algorithm on whole numbers is exact", "[simd]", float, Bits) {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const Case& c : kCases) {
      for (const bool accumulate : {false, true}) {
        CAPTURE(name, c.n, c.in, c.out, c.height, c.width, c.last, accumulate);
        Random random(31);
        const auto [got, expected] = run<TestType>(
            c, [&] { return std::floor(static_cast<float>(random.uniform(-3.0, 4.0))); }, 4.0f,
            accumulate);
        CHECK(count_different(got.y, expected.y) == 0);
        CHECK(count_different(got.dx, expected.dx) == 0);
        CHECK(count_different(got.dw, expected.dw) == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("Winograd's algorithm on random numbers", "[simd]", float, Bits) {
  for (const std::string& name : instruction_sets()) {
    const Using chosen(name);
    for (const Case& c : kCases) {
      CAPTURE(name, c.n, c.in, c.out, c.height, c.width, c.last);
      Random random(32);
      const auto [got, expected] = run<TestType>(
          c, [&] { return static_cast<float>(random.normal()); }, 0.1f, false);
      // In bf16 the transformed images and filters are rounded, by 2^-9 at most of each.
      const double tolerance = std::is_same_v<TestType, float> ? 1e-6 : 0x1p-7;
      CHECK(relative_error(got.y, expected.y) <= tolerance);
      CHECK(relative_error(got.dx, expected.dx) <= tolerance);
      CHECK(relative_error(got.dw, expected.dw) <= tolerance);
    }
  }
}

TEST_CASE("Winograd's algorithm does not depend on the number of threads", "[simd]") {
  // Many images, so that the gradient of the filters is made in several pieces.
  const Case c{12, 32, 64, 24, 24, {1, 1}, false};
  const auto with = [&](int count) {
    const testing::Threads threads(count);
    Random random(33);
    return run<Bits>(
        c, [&] { return static_cast<float>(random.normal()); }, 0.1f, false);
  };
  const auto [one, expected] = with(1);
  CHECK(relative_error(one.dw, expected.dw) <= 0x1p-7);
  for (const int count : {2, 5}) {
    const Results got = with(count).first;
    CHECK(count_different(got.y, one.y) == 0);
    CHECK(count_different(got.dx, one.dx) == 0);
    CHECK(count_different(got.dw, one.dw) == 0);
  }
}

}  // namespace cograd
