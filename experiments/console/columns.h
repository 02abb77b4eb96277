// Text in columns, for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// Columns of `text` on a terminal: two for a character of East Asian scripts and for emoji, none
/// for a combining one, else one.
std::size_t display_width(std::string_view text);

/// Breaks `text` into at least one line of at most `width` columns: at blanks, and inside longer
/// words.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// Sets `cells` side by side, each wrapped to its width, with two blanks between them. Every line
/// ends with a line feed.
std::string side_by_side(const std::vector<std::string>& cells,
                         const std::vector<std::size_t>& widths);

}  // namespace cograd
