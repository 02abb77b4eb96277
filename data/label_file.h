// Label files: the labels that people or programs gave to the examples of a data set, as CSV.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/data/dataset.h"

namespace cograd {

/// The columns to read.
struct LabelColumns {
  std::string label = "label";
  std::string true_label;  ///< empty: "true_label" if the file has it
};

/// The labels of a file, by index in the whole set.
class GivenLabels {
 public:
  struct Row {
    std::int64_t line = 0;  ///< in the file; 0: it has none
    std::int32_t label = -1;
    std::int32_t true_label = -1;  ///< -1: the file does not say
  };
  /// `name` is the file's in messages.
  GivenLabels(std::string name, std::string column, std::string checksum, std::vector<Row> rows)
      : name_(std::move(name)),
        column_(std::move(column)),
        checksum_(std::move(checksum)),
        rows_(std::move(rows)) {}

  /// The given label of each example of `data`, which was cut from the whole set. Throws ValueError
  /// naming the first example without a row, with another true label than the data set's, or with a
  /// label that is not a class of `data`.
  std::vector<std::int64_t> labels_of(const Dataset& data) const;
  /// The examples of `data` whose given label is a class of `data`: with the first classes of a set,
  /// some examples are labelled with another one.
  DatasetPtr within_classes(DatasetPtr data) const;

  const std::string& column() const { return column_; }
  /// Of the file's content.
  const std::string& checksum() const { return checksum_; }

 private:
  const Row& row_of(const Dataset& data, std::int64_t index) const;

  std::string name_, column_, checksum_;
  std::vector<Row> rows_;
};

/// Reads a CSV file, compressed by gzip or not: a header, then a row for each example. The first
/// column is `index`, which counts in the whole set from 0, or `file` or `path`, which is the image's
/// path below the folder of the split, as CLASS/NAME.jpg. Labels are names of classes, of their
/// folders, or numbers; not numbers if a class has a number for its name. Cells may be quoted (RFC
/// 4180) but hold no line ends. Throws IoError, and FormatError naming the line for a missing column,
/// an unknown example or class, or an example that is there twice.
GivenLabels read_given_labels(const std::filesystem::path& path, const LabelColumns& columns,
                              const Dataset& whole);
/// Parses the content of a label file; messages call it `name`.
GivenLabels parse_given_labels(std::string_view text, const std::string& name,
                               const LabelColumns& columns, const Dataset& whole);

}  // namespace cograd
