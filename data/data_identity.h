// Which data set it is.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace cograd {

/// What is known of a set without looking at its images. Sets that differ in none of it are one.
struct DataIdentity {
  std::string kind;  ///< "mnist train"
  std::int64_t examples = 0, classes = 0;
  std::string class_names;  ///< checksum
  std::string contents;     ///< Dataset::fingerprint()
  friend bool operator==(const DataIdentity&, const DataIdentity&) = default;

  /// All of it in a word for files: "mnist-train/60000/4f1c09a2b8d377e6".
  std::string word() const;
};

DataIdentity identity_of(const Dataset& data);

}  // namespace cograd
