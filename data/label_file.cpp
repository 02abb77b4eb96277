#include "cograd/data/label_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cograd/data/checksum.h"
#include "cograd/data/gzip_reader.h"
#include "cograd/data/image_folder.h"
#include "cograd/data/subset.h"
#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr std::size_t kMostBytes = std::size_t{256} << 20;
constexpr std::size_t kMostShown = 60;
constexpr const char* kTrueLabel = "true_label";

std::string shown(std::string_view text) { return printable(text.substr(0, kMostShown)); }

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && stop == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

/// The lines of a CSV file in turn, split into cells.
class Lines {
 public:
  Lines(std::string_view text, const std::string& name) : rest_(text), name_(name) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  /// Goes to the next line; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    ++number_;
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(rest_.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    split(line);
    return true;
  }

  const std::vector<std::string>& cells() const { return cells_; }
  std::int64_t number() const { return number_; }

  /// `args` are formatted upon a fault alone: there may be a million lines.
  template <class... Args>
  void check(bool ok, fmt::format_string<Args...> fault, Args&&... args) const {
    if (ok) return;
    throw FormatError(fmt::format("[labels] {}:{}: {}", name_, number_,
                                  fmt::format(fault, std::forward<Args>(args)...)));
  }

 private:
  void split(std::string_view line) {
    cells_.clear();
    for (bool more = true; more;) {
      std::string& cell = cells_.emplace_back();
      if (line.starts_with('"')) {
        line.remove_prefix(1);
        for (std::size_t quote = 0;; line.remove_prefix(quote + 2)) {
          quote = line.find('"');
          check(quote != std::string_view::npos, "a quote does not end");
          cell += line.substr(0, quote);
          if (!line.substr(quote + 1).starts_with('"')) {
            line.remove_prefix(quote + 1);
            break;
          }
          cell += '"';
        }
        check(line.empty() || line[0] == ',', "text follows a quote: expected a comma");
      } else {
        const std::size_t end = std::min(line.find(','), line.size());
        cell = line.substr(0, end);
        line.remove_prefix(end);
      }
      more = !line.empty();
      if (more) line.remove_prefix(1);
    }
  }

  std::string_view rest_;
  const std::string& name_;
  std::int64_t number_ = 0;
  std::vector<std::string> cells_;
};

/// Finds classes by what a file calls them.
class Classes {
 public:
  explicit Classes(const Dataset& whole) : count_(whole.classes()) {
    const std::vector<std::string> names = whole.class_names();
    for (std::size_t i = 0; i < names.size(); ++i) add(names[i], static_cast<std::int64_t>(i));
    if (const auto* images = dynamic_cast<const ImageFolder*>(&whole)) {
      for (std::int64_t i = 0; i < count_; ++i) add(images->class_folder(i), i);
    }
  }

  /// -1 if there is none.
  std::int32_t find(const std::string& text) const {
    const auto name = numbers_.find(text);
    if (name != numbers_.end()) return static_cast<std::int32_t>(name->second);
    if (!by_number_) return -1;
    const std::int64_t number = integer_of(text).value_or(-1);
    return static_cast<std::int32_t>(number < count_ ? std::max<std::int64_t>(-1, number) : -1);
  }

  std::string expected() const {
    return by_number_ ? fmt::format("a name of a class, or 0 to {}", count_ - 1)
                      : "a name of a class";
  }

 private:
  void add(const std::string& name, std::int64_t number) {
    numbers_.emplace(name, number);
    if (integer_of(name)) by_number_ = false;  // "10" could mean either
  }

  std::int64_t count_;
  bool by_number_ = true;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

/// Finds examples by index or by path.
class Examples {
 public:
  Examples(const Dataset& whole, const Lines& header)
      : size_(whole.size()), set_(printable(whole.name())) {
    const std::string& key = header.cells()[0];
    by_path_ = key == "file" || key == "path";
    header.check(by_path_ || key == "index",
                 "the first column is '{}': expected index, file or path", shown(key));
    if (!by_path_) return;
    const auto* images = dynamic_cast<const ImageFolder*>(&whole);
    header.check(images != nullptr, "{} has no files: expected the first column index", set_);
    for (std::int64_t i = 0; i < size_; ++i) places_.emplace(images->path_in_split(i), i);
  }

  std::int64_t find(const Lines& line) const {
    const std::string& key = line.cells()[0];
    if (by_path_) {
      const auto place = places_.find(key);
      line.check(place != places_.end(), "{} has no image '{}'", set_, shown(key));
      return place->second;
    }
    const std::optional<std::int64_t> index = integer_of(key);
    line.check(index && *index >= 0 && *index < size_,
               "there is no example '{}' in {}, which has {}, counted from 0", shown(key), set_,
               size_);
    return *index;
  }

 private:
  std::int64_t size_;
  std::string set_;
  bool by_path_ = false;
  std::unordered_map<std::string, std::int64_t> places_;
};

std::size_t column_of(const std::string& name, const Lines& header) {
  const auto& cells = header.cells();
  const auto found = std::find(cells.begin() + 1, cells.end(), name);
  header.check(found != cells.end(), "there is no column '{}': expected one of {}", shown(name),
               shown(fmt::format("{}", fmt::join(cells.begin() + 1, cells.end(), ", "))));
  return static_cast<std::size_t>(found - cells.begin());
}

/// The column of true labels, if there is one.
std::optional<std::size_t> true_column_of(const std::string& name, const Lines& header) {
  const auto& cells = header.cells();
  const bool any =
      !name.empty() || std::find(cells.begin(), cells.end(), kTrueLabel) != cells.end();
  return any ? std::optional(column_of(name.empty() ? kTrueLabel : name, header)) : std::nullopt;
}

std::string name_of_class(const Dataset& data, std::int64_t label) {
  const std::vector<std::string> names = data.whole().class_names();
  return label < std::ssize(names) ? shown(names[static_cast<std::size_t>(label)])
                                   : std::to_string(label);
}

}  // namespace

GivenLabels parse_given_labels(std::string_view text, const std::string& name,
                               const LabelColumns& columns, const Dataset& whole) {
  Lines lines(text, name);
  require<FormatError>(lines.next(), "[labels] {} is empty: expected a header", name);
  const std::size_t width = lines.cells().size();
  const Examples examples(whole, lines);
  const std::size_t label = column_of(columns.label, lines);
  const std::optional<std::size_t> true_label = true_column_of(columns.true_label, lines);
  const Classes classes(whole);
  std::vector<GivenLabels::Row> rows(static_cast<std::size_t>(whole.size()));
  while (lines.next()) {
    lines.check(lines.cells().size() == width, "{} columns: expected {}", lines.cells().size(),
                width);
    GivenLabels::Row& row = rows[static_cast<std::size_t>(examples.find(lines))];
    lines.check(row.line == 0, "{} is there twice, first in line {}", shown(lines.cells()[0]),
                row.line);
    const auto class_in = [&](std::size_t column) {
      const std::string& cell = lines.cells()[column];
      const std::int32_t found = classes.find(cell);
      if (found < 0) {
        lines.check(false, "'{}' is no class: expected {}", shown(cell), classes.expected());
      }
      return found;
    };
    row = {lines.number(), class_in(label), true_label ? class_in(*true_label) : -1};
  }
  return {name, columns.label, checksum_of(text), std::move(rows)};
}

GivenLabels read_given_labels(const std::filesystem::path& path, const LabelColumns& columns,
                              const Dataset& whole) {
  return parse_given_labels(GzipReader(path, "labels").read_rest(kMostBytes),
                            printable(path.native()), columns, whole);
}

const GivenLabels::Row& GivenLabels::row_of(const Dataset& data, std::int64_t index) const {
  const auto whole = static_cast<std::size_t>(data.whole_index(index));
  if (whole >= rows_.size() || rows_[whole].line == 0) {
    throw ValueError(fmt::format("[labels] {} has no row for example {} of {}", name_, whole,
                                 printable(data.whole().name())));
  }
  const Row& row = rows_[whole];
  if (row.true_label >= 0 && row.true_label != data.label(index)) {
    throw ValueError(
        fmt::format("[labels] {}:{}: the true label of example {} is {}, but {} says {}", name_,
                    row.line, whole, name_of_class(data, row.true_label),
                    printable(data.whole().name()), name_of_class(data, data.label(index))));
  }
  return row;
}

std::vector<std::int64_t> GivenLabels::labels_of(const Dataset& data) const {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const Row& row = row_of(data, i);
    if (row.label >= data.classes()) {
      throw ValueError(fmt::format("[labels] {}:{}: {} is not among the first {} classes", name_,
                                   row.line, name_of_class(data, row.label), data.classes()));
    }
    labels.push_back(row.label);
  }
  return labels;
}

DatasetPtr GivenLabels::within_classes(DatasetPtr data) const {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < data->size(); ++i) {
    if (row_of(*data, i).label < data->classes()) indices.push_back(i);
  }
  if (std::ssize(indices) == data->size()) return data;
  return std::make_shared<Subset>(std::move(data), std::move(indices));
}

}  // namespace cograd
