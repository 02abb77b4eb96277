#include "docs/course/exercises/check.h"

#include <limits>

#include "cograd/engine/bf16.h"
#include "cograd/engine/random.h"
#include COURSE_STUDENT

namespace {

float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

void compare(course::Check& check, const char* what, const std::vector<std::uint32_t>& patterns) {
  for (const std::uint32_t bits : patterns) {
    const std::uint16_t got = to_bf16(of_bits(bits)), expected = cograd::Bf16(of_bits(bits)).bits;
    if (got == expected) continue;
    check.that(false, what,
               fmt::format("of {:08x} ({:g}) expected {:04x}, got {:04x}", bits, of_bits(bits),
                           expected, got));
    return;
  }
  check.that(true, what, "");
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    compare(check, "numbers that bf16 has", {0x00000000, 0x80000000, 0x3f800000, 0xc0490000});
    compare(check, "nearer to the lower neighbour", {0x3f800001, 0x3f807fff, 0xbf817fff});
    compare(check, "nearer to the upper neighbour", {0x3f808001, 0x3f80ffff, 0xbf81c000});
    compare(check, "ties go to even", {0x3f808000, 0x3f818000, 0xbf828000, 0xbf838000, 0x3fff8000});
    compare(check, "the largest float and the infinities", {0x7f7fffff, 0x7f800000, 0xff800000});
    for (const std::uint32_t nan : {0x7fc00000u, 0x7f800001u, 0xffffffffu, 0xff80ffffu}) {
      const std::uint32_t back = std::uint32_t{to_bf16(of_bits(nan))} << 16;
      check.that(of_bits(back) != of_bits(back), fmt::format("the NaN {:08x} stays one", nan),
                 fmt::format("got {:g}", of_bits(back)));
    }
    cograd::Random random(9);
    std::vector<std::uint32_t> patterns;
    while (patterns.size() < 65536) {
      const auto bits = random.next();
      if (of_bits(bits) == of_bits(bits)) patterns.push_back(bits);
    }
    compare(check, "65536 random bit patterns", patterns);
  });
}
