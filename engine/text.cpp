#include "cograd/engine/text.h"

#include <fmt/format.h>

#include <cstdint>

namespace cograd {
namespace {

struct Character {
  std::size_t length = 0;  // bytes; 0: no UTF-8
  std::uint32_t code = 0;
};

/// The first character of `bytes`, which has some: RFC 3629, without overlong forms and surrogates.
Character first_of(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const std::uint32_t head = byte(0);
  if (head < 0x80) return {1, head};
  const std::size_t length = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
  if (head < 0xC2 || head > 0xF4 || bytes.size() < length) return {};
  std::uint32_t code = head & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= kLeast[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  return valid ? Character{length, code} : Character{};
}

bool is_safe(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool line_break = code == 0x2028 || code == 0x2029;
  const bool direction = code == 0x200E || code == 0x200F || code == 0x061C ||
                         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  const bool no_character = (code & 0xFFFE) == 0xFFFE;  // XML has none of these
  return !control && !line_break && !direction && !no_character;
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const Character character = first_of(bytes);
    const std::size_t length = character.length > 0 ? character.length : 1;
    if (character.length > 0 && is_safe(character.code)) {
      text += bytes.substr(0, length);
    } else {
      for (const char c : bytes.substr(0, length)) {
        text += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
      }
    }
    bytes.remove_prefix(length);
  }
  return text;
}

}  // namespace cograd
