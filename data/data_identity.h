// The identity of a data set.
#pragma once

#include <cstdint>
#include <string>

#include "cograd/data/dataset.h"

namespace cograd {

/// The identity of a set, without decoding its images. Sets with equal identities count as the
/// same.
struct DataIdentity {
  std::string kind;  ///< "mnist train"
  std::int64_t examples = 0, classes = 0;
  std::string class_names;  ///< checksum
  std::string contents;     ///< Dataset::fingerprint()
  friend bool operator==(const DataIdentity&, const DataIdentity&) = default;

  /// The identity as one word: "mnist-train/60000/4f1c09a2b8d377e6".
  std::string word() const;
};

DataIdentity identity_of(const Dataset& data);

}  // namespace cograd
