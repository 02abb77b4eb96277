#include "cograd/experiments/console/columns.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace cograd {
namespace {

struct Character {
  std::size_t bytes = 1;
  std::uint32_t code = 0;
};

/// The first character of a non-empty `text`. Invalid UTF-8 counts as characters of one byte.
Character first_of(std::string_view text) {
  const auto head = static_cast<std::uint8_t>(text[0]);
  if (head < 0xC0) return {1, head};
  const std::size_t bytes = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
  if (text.size() < bytes) return {1, head};
  std::uint32_t code = head & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    code = code << 6 | (static_cast<std::uint8_t>(text[i]) & 0x3Fu);
  }
  return {bytes, code};
}

using Range = std::pair<std::uint32_t, std::uint32_t>;

// Unicode's East Asian Width "wide" and its combining marks, as far as whole blocks go.
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
    Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF},
    Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kCombining = {Range{0x0300, 0x036F}, Range{0x200B, 0x200D},
                                   Range{0xFE00, 0xFE0F}};

template <std::size_t n>
bool in(std::uint32_t code, const std::array<Range, n>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [=](const Range& range) {
    return range.first <= code && code <= range.second;
  });
}

std::size_t width_of(const Character& character) {
  if (in(character.code, kCombining)) return 0;
  return in(character.code, kWide) ? 2 : 1;
}

/// Bytes of the beginning of `text` that fit `width` columns; at least one character.
std::size_t fitting(std::string_view text, std::size_t width) {
  std::size_t bytes = 0, used = 0;
  while (bytes < text.size()) {
    const Character next = first_of(text.substr(bytes));
    used += width_of(next);
    if (used > width && bytes > 0) break;
    bytes += next.bytes;
  }
  return bytes;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character next = first_of(text);
    width += width_of(next);
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!lines.back().empty() && display_width(lines.back()) + 1 + display_width(word) <= width) {
      lines.back() += ' ';
    } else if (!lines.back().empty()) {
      lines.emplace_back();
    }
    while (display_width(word) > width) {
      const std::size_t bytes = fitting(word, width);
      if (bytes == word.size()) break;
      lines.back() += word.substr(0, bytes);
      lines.emplace_back();
      word.remove_prefix(bytes);
    }
    lines.back() += word;
  }
  return lines;
}

std::string side_by_side(const std::vector<std::string>& cells,
                         const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> columns;
  std::size_t height = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    columns.push_back(wrapped(cells[i], widths[i]));
    height = std::max(height, columns.back().size());
  }
  std::string text;
  for (std::size_t row = 0; row < height; ++row) {
    std::string line;
    std::size_t place = 0;  // where the column begins
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (row < columns[i].size() && !columns[i][row].empty()) {
        line.append(place - std::min(place, display_width(line)), ' ') += columns[i][row];
      }
      place += widths[i] + 2;
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace cograd
