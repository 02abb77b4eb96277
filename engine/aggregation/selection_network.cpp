// Construction of selection networks, and the cache of the results.
#include "engine/aggregation/selection_network.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <tuple>

namespace cograd {
namespace {

using Wires = std::vector<std::int32_t>;

/// Batcher's odd-even merge for two sorted runs of any lengths (Knuth, The Art of Computer
/// Programming vol. 3, 5.2.2): merge the terms at even and at odd places, then compare neighbours.
Wires merge(const Wires& a, const Wires& b, std::vector<Comparator>& network) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  if (a.size() == 1 && b.size() == 1) {
    network.push_back({a[0], b[0]});
    return {a[0], b[0]};
  }
  const auto every_other = [](const Wires& run, std::size_t i) {
    Wires half;
    for (; i < run.size(); i += 2) half.push_back(run[i]);
    return half;
  };
  const Wires even = merge(every_other(a, 0), every_other(b, 0), network);
  const Wires odd = merge(every_other(a, 1), every_other(b, 1), network);
  Wires merged{even[0]};
  for (std::size_t i = 1; i < even.size() || i <= odd.size(); ++i) {
    if (i < even.size() && i <= odd.size()) network.push_back({odd[i - 1], even[i]});
    if (i <= odd.size()) merged.push_back(odd[i - 1]);
    if (i < even.size()) merged.push_back(even[i]);
  }
  return merged;
}

/// Sorted runs of the smallest and of the largest values of some wires. While both would overlap,
/// `low` holds all of them and `high` is empty.
struct Extremes {
  Wires low, high;
};

/// Separates the `smallest` and the `largest` of the wires begin .. end: a tournament of merges
/// whose losers drop out at every level.
Extremes select(std::int32_t begin, std::int32_t end, std::size_t smallest, std::size_t largest,
                std::vector<Comparator>& network) {
  if (end - begin == 1) return {{begin}, {}};
  const std::int32_t middle = begin + (end - begin) / 2;
  Extremes a = select(begin, middle, smallest, largest, network);
  Extremes b = select(middle, end, smallest, largest, network);
  const auto split = [&](Extremes& x) {  // a whole run into its two ends
    if (!x.high.empty() || largest == 0) return;
    const std::size_t n = std::min(largest, x.low.size());
    x.high.assign(x.low.end() - static_cast<std::ptrdiff_t>(n), x.low.end());
  };
  if (a.high.empty() && b.high.empty()) {
    Extremes all{merge(a.low, b.low, network), {}};
    if (all.low.size() >= smallest + largest) {
      split(all);
      all.low.resize(smallest);
    }
    return all;
  }
  return {};
}
}  // namespace
}  // namespace cograd
