#include "cograd/experiments/record/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {

std::string csv_cell(const std::string& bytes) {
  std::string cell = printable(bytes);
  if (!cell.empty() && std::string_view("=+-@").find(cell[0]) != std::string_view::npos) {
    cell.insert(cell.begin(), '\'');
  }
  if (cell.find_first_of("\",") == std::string::npos) return cell;
  std::string quoted(1, '"');
  for (const char c : cell) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

CsvRows::CsvRows(const std::filesystem::path& path, std::string_view header)
    : name_(printable(path.native())),
      content_(read_file(path)),
      rest_(content_),
      columns_(1 + static_cast<std::size_t>(std::count(header.begin(), header.end(), ','))) {
  const bool known = rest_.starts_with(header) && rest_.substr(header.size()).starts_with('\n');
  check(known, header);
  rest_.remove_prefix(header.size() + 1);
}

bool CsvRows::next() {
  if (rest_.empty()) return false;
  ++line_;
  const std::size_t end = rest_.find('\n');
  check(end != std::string_view::npos, "a line that ends");
  split(rest_.substr(0, end));
  rest_.remove_prefix(end + 1);
  check(cells_.size() == columns_, fmt::format("{} columns", columns_));
  return true;
}

void CsvRows::split(std::string_view line) {
  cells_.clear();
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    cells_.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
}

std::int64_t CsvRows::integer(std::size_t column, std::int64_t low, std::int64_t high) const {
  const std::string_view cell = cells_[column];
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  check(error == std::errc() && stop == cell.data() + cell.size() && value >= low && value <= high,
        "an integer in its range");
  return value;
}

double CsvRows::number(std::size_t column) const {
  const std::string_view cell = cells_[column];
  double value = 0.0;
  const auto [stop, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  check(error == std::errc() && stop == cell.data() + cell.size() && std::isfinite(value),
        "a finite number");
  return value;
}

void CsvRows::check(bool ok, std::string_view expected) const {
  require<FormatError>(ok, "[csv] {} is damaged: line {}: expected {}", name_, line_, expected);
}

}  // namespace cograd
