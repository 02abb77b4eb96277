// Text files with the name of a class on each line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// The text_lines() of the file, without blank ones at the end. Throws IoError if it is unreadable,
/// FormatError naming it if it is no text or has another number of lines than `classes`.
std::vector<std::string> read_labels(const std::filesystem::path& path, std::int64_t classes);

/// Throws FormatError naming the first class whose name in `labels`, read from `path`, differs from
/// the one in `names`, read from `weights`: one of them would be wrong.
void require_same_names(const std::vector<std::string>& labels, const std::filesystem::path& path,
                        const std::vector<std::string>& names, const std::string& weights);

}  // namespace cograd
