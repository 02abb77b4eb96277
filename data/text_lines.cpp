#include "cograd/data/text_lines.h"

#include <algorithm>
#include <cstdint>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

void append_utf8(std::uint32_t code, std::string& text) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto follow = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    follow(6);
  } else {
    put(0xF0 | code >> 18);
    follow(12);
    follow(6);
  }
  follow(0);
}

/// Converts UTF-16 without its byte order mark.
std::string utf8_of(std::string_view text, bool big_endian, const std::string& name) {
  require<FormatError>(text.size() % 2 == 0, "[text] {} is UTF-16 that ends inside a character",
                       name);
  const auto unit = [&](std::size_t i) -> std::uint32_t {
    const std::uint32_t first = static_cast<std::uint8_t>(text[i]);
    const std::uint32_t second = static_cast<std::uint8_t>(text[i + 1]);
    return big_endian ? first << 8 | second : second << 8 | first;
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint32_t code = unit(i);
    if (code >= 0xD800 && code < 0xE000) {  // the first half of a pair
      const std::uint32_t low = code < 0xDC00 && i + 3 < text.size() ? unit(i + 2) : 0;
      require<FormatError>(low >= 0xDC00 && low < 0xE000,
                           "[text] {} is broken UTF-16: half a character at byte {}", name, i + 2);
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    append_utf8(code, result);
  }
  return result;
}

}  // namespace

std::vector<std::string> text_lines(std::string_view text, const std::string& name) {
  std::string decoded;
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  } else if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    decoded = utf8_of(text.substr(2), text[0] == '\xFE', name);
    text = decoded;
  }
  require<FormatError>(text.find('\0') == std::string_view::npos,
                       "[text] {} holds zero bytes: expected text in UTF-8, or in UTF-16 with its "
                       "byte order mark",
                       name);
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

std::vector<std::string> read_text_lines(const std::filesystem::path& path) {
  return text_lines(read_file(path), printable(path.native()));
}

}  // namespace cograd
