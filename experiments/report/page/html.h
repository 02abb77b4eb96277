// Text for HTML.
#pragma once

#include <string>

namespace cograd {

/// `text` with every `from` replaced by `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// `text` of any bytes, printable() and escaped for HTML or XML, as content or between quotes.
std::string escaped(const std::string& text);

}  // namespace cograd
