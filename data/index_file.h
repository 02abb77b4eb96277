// Files that name examples of a data set: the header "index", then an index a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// As the authors' released code writes learned_examples.csv. Throws IoError.
void write_index_file(const std::filesystem::path& path, const std::vector<std::int64_t>& indices);

/// Throws IoError when it cannot be read, FormatError naming the line that is no index.
std::vector<std::int64_t> read_index_file(const std::filesystem::path& path);
/// The same of a file's content; `name` is for messages.
std::vector<std::int64_t> parse_index_file(std::string_view text, const std::string& name);

}  // namespace cograd
