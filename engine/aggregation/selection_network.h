// Selection networks for a number of values known at run time.
#pragma once

#include <cstdint>
#include <vector>

#include "cograd/engine/aggregation/order_statistics.h"

namespace cograd {

/// The comparators after which wires first .. last hold the values that `sum` adds up: x[first] and
/// x[last] in their place where they have a weight of their own, those between in any order. A
/// tournament of Batcher merges that keeps only as many of the smallest and largest as count,
/// pruned of every comparator that cannot change the sum. Kept for the life of the program: the
/// reference stays valid. Thread-safe.
const std::vector<Comparator>& selection_network(std::int64_t k, const OrderedSum& sum);

}  // namespace cograd
