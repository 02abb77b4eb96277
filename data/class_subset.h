// Subsets of a data set by class.
#pragma once

#include <vector>

#include "cograd/data/dataset.h"

namespace cograd {

/// The examples of the first `count` classes, in their order; all of them if it has no more. Throws
/// ValueError if count < 1.
DatasetPtr first_classes(DatasetPtr base, std::int64_t count);

}  // namespace cograd
