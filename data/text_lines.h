// Text files that people write: names of classes, tables of labels.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// The lines of a text file, without their ends (LF or CRLF) and without a byte order mark; what
/// they hold may be any bytes. A last line that is empty does not count. Throws IoError when it
/// cannot be read, FormatError for UTF-16 and for a file with zero bytes.
std::vector<std::string> read_text_lines(const std::filesystem::path& path);

}  // namespace cograd
