// Reads text files that people write: names of classes, tables of labels.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// The lines of a text without their ends, LF or CRLF; the last line may lack its end. Drops a byte
/// order mark and converts UTF-16, which must have one, to UTF-8; keeps all other bytes. Throws
/// FormatError naming `name` for zero bytes and broken UTF-16.
std::vector<std::string> text_lines(std::string_view text, const std::string& name);

/// The lines of a file. Also throws IoError.
std::vector<std::string> read_text_lines(const std::filesystem::path& path);

}  // namespace cograd
