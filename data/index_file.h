// Files that name examples of a data set: the header "index,set", then an index a line, and on the
// first of these lines the set that all indices count in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace cograd {

struct IndexFile {
  std::vector<std::int64_t> indices;  ///< in the whole set, as it is opened
  std::string set{};                  ///< DataIdentity::word(); empty: the file does not say

  /// As `set` says; 0: it does not.
  std::int64_t examples_of_set() const;
};

/// As the authors' released code writes learned_examples.csv, but for the second column. Throws
/// IoError.
void write_index_file(const std::filesystem::path& path, const IndexFile& content);

/// Also without the second column, as a person may write it. Throws IoError when it cannot be read,
/// FormatError naming the line that is no index or repeats one.
IndexFile read_index_file(const std::filesystem::path& path);
/// The same of a file's content; `name` is for messages.
IndexFile parse_index_file(std::string_view text, const std::string& name);

/// Throws ValueError, which names both, unless the file counts in the whole set that `data` was cut
/// from, or does not say what it counts in; and for an index beyond that set.
void check_index_file(const IndexFile& file, const std::filesystem::path& path,
                      const Dataset& data);

}  // namespace cograd
