// MNIST and the sets that share its four files (Fashion-MNIST).
#pragma once

#include <filesystem>
#include <string>

#include "cograd/data/dataset.h"

namespace cograd {

/// Opens train-images-idx3-ubyte, train-labels-idx1-ubyte or the t10k files in `folder`, with or
/// without .gz. Images [1, 28, 28] in [0, 1]; labels 0 to 9. Messages call the set `name`. Throws
/// IoError for a missing file, FormatError for files that do not match.
DatasetPtr open_mnist(const std::filesystem::path& folder, Split split,
                      const std::string& name = "mnist");

}  // namespace cograd
