// The CSV files of runs: a header, then rows of numbers and plain names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// `bytes` as printable() text in a cell, quoted by RFC 4180 where it must be; an apostrophe precedes
/// what a spreadsheet would take for a formula.
std::string csv_cell(const std::string& bytes);

/// Reads a file row by row. All members throw FormatError naming the file and the damaged line.
class CsvRows {
 public:
  /// The file must begin with this header. Throws IoError if it is unreadable.
  CsvRows(const std::filesystem::path& path, std::string_view header);

  /// Goes to the next row; false at the end.
  bool next();
  std::string_view text(std::size_t column) const { return cells_[column]; }
  bool empty(std::size_t column) const { return cells_[column].empty(); }
  std::int64_t integer(std::size_t column, std::int64_t low = 0,
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  double number(std::size_t column) const;  ///< finite
  void check(bool ok, std::string_view expected) const;

 private:
  void split(std::string_view line);

  std::string name_, content_;
  std::string_view rest_;
  std::size_t columns_, line_ = 1;
  std::vector<std::string_view> cells_;
};

}  // namespace cograd
