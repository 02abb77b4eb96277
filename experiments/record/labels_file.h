// Text files with the name of a class on each line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cograd {

/// The text_lines() of the file without blank ones at the end. Throws IoError when it cannot be
/// read, FormatError, which names it, for what is no text or has not `classes` lines.
std::vector<std::string> read_labels(const std::filesystem::path& path, std::int64_t classes);

/// Throws FormatError naming the first class that `labels`, from a file, call otherwise than
/// `names`, which `weights` hold: either would be a wrong name for what was learned.
void require_same_names(const std::vector<std::string>& labels, const std::filesystem::path& path,
                        const std::vector<std::string>& names, const std::string& weights);

}  // namespace cograd
