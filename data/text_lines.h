// Text files that people write: names of classes, tables of labels.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// The lines of a text without their ends, LF or CRLF, the last of which may be missing. A byte
/// order mark is dropped and UTF-16, which has one, becomes UTF-8; else the bytes stay as they are.
/// Throws FormatError naming `name` for zero bytes and broken UTF-16.
std::vector<std::string> text_lines(std::string_view text, const std::string& name);

/// Of a file. Throws IoError, too.
std::vector<std::string> read_text_lines(const std::filesystem::path& path);

}  // namespace cograd
