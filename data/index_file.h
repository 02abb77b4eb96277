// Files that list examples of a data set: the header "index,set", then one index a line. The first
// of these lines also names the set in which all indices count.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/data/dataset.h"

namespace cograd {

struct IndexFile {
  std::vector<std::int64_t> indices;  ///< in the whole set, as it is opened
  std::string set{};                  ///< DataIdentity::word(); empty: the file does not say

  /// The number of examples in `set`; 0 if unknown.
  std::int64_t examples_of_set() const;
};

/// Writes the format of learned_examples.csv of the authors' released code, plus the second column.
/// Throws IoError.
void write_index_file(const std::filesystem::path& path, const IndexFile& content);

/// Reads an index file; the second column may be missing. Throws IoError if it is unreadable,
/// FormatError naming the line that is no index or repeats one.
IndexFile read_index_file(const std::filesystem::path& path);
/// Parses the content of an index file; messages call it `name`.
IndexFile parse_index_file(std::string_view text, const std::string& name);

/// Throws ValueError if the file names another set than the one from which `data` was cut, or has
/// an index beyond that set.
void check_index_file(const IndexFile& file, const std::filesystem::path& path,
                      const Dataset& data);

}  // namespace cograd
