// Text in columns, for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// Columns that `text` takes on a terminal: characters, not bytes; those of East Asian scripts and
/// emoji take two, combining ones none.
std::size_t display_width(std::string_view text);

/// Breaks `text` at blanks into lines of at most `width` columns, and longer words within. At least
/// one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// `cells` side by side, each wrapped to its width, two blanks between them; every line ends with a
/// line feed.
std::string side_by_side(const std::vector<std::string>& cells,
                         const std::vector<std::size_t>& widths);

}  // namespace cograd
