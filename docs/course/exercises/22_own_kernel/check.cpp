// Compile: -O3
#include "docs/course/exercises/check.h"

#include <chrono>
#include <limits>

#include "cograd/engine/backend.h"
#include "cograd/engine/file.h"
#include "cograd/engine/random.h"
#include COURSE_STUDENT

namespace {

using namespace cograd;
using Floats = std::vector<float>;

Floats by_library(Backend& backend, const Floats& stack, std::int64_t n) {
  Tensor out = Tensor::empty({n}, Dtype::f32, backend);
  backend.reduce({.kind = Reduction::Kind::median}, Tensor::from(stack, {3, n}, backend), out,
                 nullptr);
  return out.to_vector<float>();
}

Floats numbers(std::int64_t n, bool with_odd_ones) {
  Random random(static_cast<std::uint64_t>(n));
  Floats stack;
  for (std::int64_t i = 0; i < 3 * n; ++i) stack.push_back(static_cast<float>(random.normal()));
  if (with_odd_ones) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < stack.size(); i += 7) stack[i] = i % 2 == 0 ? infinity : -infinity;
    for (std::size_t i = 3; i < stack.size(); i += 11) stack[i] = NAN;
  }
  return stack;
}

/// The first coordinate that is wrong, as text; empty if none is.
std::string fault(std::int64_t n, bool with_odd_ones) {
  const Floats stack = numbers(n, with_odd_ones);
  const Floats expected = by_library(reference_backend(), stack, n);
  Floats out(static_cast<std::size_t>(n), -1.0f);
  median_of_3(stack.data(), n, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool both_nan = out[i] != out[i] && expected[i] != expected[i];
    if (both_nan || out[i] == expected[i]) continue;
    const auto size = static_cast<std::size_t>(n);
    return fmt::format("n = {}, coordinate {}: of {}, {}, {} expected {}, got {}", n, i, stack[i],
                       stack[size + i], stack[2 * size + i], expected[i], out[i]);
  }
  return "";
}

template <class Run>
double microseconds(const Run& run) {
  double best = 1e30;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  return best;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    std::string wrong, odd;
    for (std::int64_t n = 1; n <= 1000 && wrong.empty(); n += n < 40 ? 1 : 97)
      wrong = fault(n, false);
    check.that(wrong.empty(), "medians of random numbers", wrong);
    for (std::int64_t n = 1; n <= 1000 && odd.empty(); n += n < 40 ? 1 : 97) odd = fault(n, true);
    check.that(odd.empty(), "with infinities and NaNs", odd);
    const std::string source = read_file(COURSE_STUDENT);
    check.that(source.find("std::sort(") == std::string::npos &&
                   source.find("nth_element(") == std::string::npos,
               "no sort", "the loop still calls the standard library's sort for each coordinate");

    constexpr std::int64_t n = 1'000'000;
    const Floats stack = numbers(n, false);
    Floats out(static_cast<std::size_t>(n));
    const Tensor rows = Tensor::from(stack, {3, n}, cpu_backend());
    Tensor to = Tensor::empty({n}, Dtype::f32, cpu_backend());
    fmt::print("n = 1000000: yours {:.0f} us, the library's {:.0f} us\n",
               microseconds([&] { median_of_3(stack.data(), n, out.data()); }), microseconds([&] {
                 cpu_backend().reduce({.kind = Reduction::Kind::median}, rows, to, nullptr);
               }));
  });
}
