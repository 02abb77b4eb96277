#include "docs/course/exercises/check.h"

#include COURSE_STUDENT

namespace {

/// What is wrong with the places of all elements; empty if nothing is.
std::string fault(const ImageShape& s) {
  std::vector<bool> taken(static_cast<std::size_t>(blocked_size(s)));
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t c = 0; c < s.c; ++c) {
      for (std::int64_t h = 0; h < s.h; ++h) {
        for (std::int64_t w = 0; w < s.w; ++w) {
          const std::int64_t at = blocked_offset(s, n, c, h, w);
          const std::string element = fmt::format("element ({}, {}, {}, {})", n, c, h, w);
          if (at < 0 || at >= blocked_size(s)) {
            return fmt::format("{} lies at {}, beyond the {} places", element, at, blocked_size(s));
          }
          if (taken[static_cast<std::size_t>(at)]) {
            return fmt::format("{} lies at {}, where another one lies", element, at);
          }
          taken[static_cast<std::size_t>(at)] = true;
          if (c % 16 > 0 && at != blocked_offset(s, n, c - 1, h, w) + 1) {
            return fmt::format("{} does not lie beside channel {} of its pixel", element, c - 1);
          }
        }
      }
    }
  }
  return "";
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    const ImageShape s{2, 40, 3, 5};
    check.equal("places of [2, 40, 3, 5]", blocked_size(s), 2 * 48 * 3 * 5,
                "40 channels are 3 blocks");
    check.equal("place of (0, 0, 0, 0)", blocked_offset(s, 0, 0, 0, 0), 0);
    check.equal("place of (0, 1, 0, 0)", blocked_offset(s, 0, 1, 0, 0), 1,
                "the next channel is beside");
    check.equal("place of (0, 0, 0, 1)", blocked_offset(s, 0, 0, 0, 1), 16,
                "the next pixel is 16 on");
    check.equal("place of (0, 16, 0, 0)", blocked_offset(s, 0, 16, 0, 0), 16 * 15,
                "the second block comes after all pixels of the first");
    check.equal("place of (1, 0, 0, 0)", blocked_offset(s, 1, 0, 0, 0), 48 * 15);
    for (const std::int64_t channels : {3, 16, 32, 40}) {
      const std::string wrong = fault({2, channels, 3, 5});
      check.that(wrong.empty(), fmt::format("all elements of [2, {}, 3, 5]", channels), wrong);
    }
  });
}
