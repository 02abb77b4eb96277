#include "docs/course/exercises/check.h"

#include <algorithm>
#include <array>

#include "cograd/engine/aggregation/order_statistics.h"
#include COURSE_STUDENT

namespace {

/// What the student's network puts into the middle, and with how many exchanges.
int middle_of(const std::array<int, 5>& values, int& exchanges) {
  int x[5];
  std::copy(values.begin(), values.end(), x);
  exchanges = 0;
  median_of_5(x, [&](int& low, int& high) {
    cograd::compare_exchange(low, high);
    ++exchanges;
  });
  return x[2];
}

int median_of(std::array<int, 5> values) {
  std::sort(values.begin(), values.end());
  return values[2];
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    int exchanges = 0, least = 1000, most = 0;
    std::string wrong;
    for (int bits = 0; bits < 32 && wrong.empty(); ++bits) {
      std::array<int, 5> x{};
      for (int i = 0; i < 5; ++i) x[static_cast<std::size_t>(i)] = bits >> i & 1;
      const int got = middle_of(x, exchanges);
      if (got != median_of(x)) {
        wrong = fmt::format("of {} it puts {} into the middle, expected {}", x, got, median_of(x));
      }
      least = std::min(least, exchanges);
      most = std::max(most, exchanges);
    }
    check.that(wrong.empty(), "all zeros and ones", wrong);

    wrong.clear();
    std::array<int, 5> x{1, 2, 3, 4, 5};
    do {
      const int got = middle_of(x, exchanges);
      if (got != 3) wrong = fmt::format("of {} it puts {} into the middle, expected 3", x, got);
      least = std::min(least, exchanges);
      most = std::max(most, exchanges);
    } while (std::next_permutation(x.begin(), x.end()));
    check.that(wrong.empty(), "all orders of 1 2 3 4 5", wrong);

    check.that(least == most, "the same exchanges for all values",
               fmt::format("expected one number, got {} to {}", least, most));
    check.that(most <= 9, "the number of exchanges",
               fmt::format("expected at most 9, got {}", most));
    fmt::print("you need {} exchanges; seven are the least\n", most);
  });
}
