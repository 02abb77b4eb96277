// Text for HTML.
#pragma once

#include <string>

namespace cograd {

/// `text` with every `from` replaced by `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// `text`, which may be any bytes, fit to stand in HTML or XML, as content or between quotes:
/// printable(), and without markup.
std::string escaped(const std::string& text);

}  // namespace cograd
