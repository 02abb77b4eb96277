// MNIST and the sets that share its four files (Fashion-MNIST).
#pragma once

#include <filesystem>
#include <string>

#include "data/dataset.h"

namespace cograd {

/// Opens train-images-idx3-ubyte, train-labels-idx1-ubyte or the t10k ones in `folder`, with or
/// without .gz. Images [1, 28, 28] in [0, 1]; labels 0 to 9. `name` is the set's name for messages
/// ("mnist"). Throws IoError when a file is missing, FormatError when the files do not fit.
DatasetPtr open_mnist(const std::filesystem::path& folder, Split split,
                      const std::string& name = "mnist");

}  // namespace cograd
