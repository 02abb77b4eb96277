// Construction of selection networks, and the cache of the results.
#include "cograd/engine/aggregation/selection_network.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

namespace cograd {
namespace {

using Wires = std::vector<std::int32_t>;
using Network = std::vector<Comparator>;

/// Batcher's odd-even merge of two sorted runs of any lengths (Knuth, The Art of Computer
/// Programming vol. 3, 5.2.2): merges the terms at even and those at odd places, then compares
/// neighbours.
Wires merge(const Wires& a, const Wires& b, Network& network) {
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
  for (std::size_t i = 0; i < odd.size(); ++i) {
    merged.push_back(odd[i]);
    if (i + 1 == even.size()) continue;
    network.push_back({odd[i], even[i + 1]});
    merged.push_back(even[i + 1]);
  }
  if (even.size() > odd.size() + 1) merged.push_back(even.back());
  return merged;
}

/// Some wires of a tournament: all of them in order, or, once there are enough, sorted runs of the
/// smallest and of the largest.
struct Ranked {
  bool whole = true;
  Wires low, high;
};

/// Sorts wires [begin, end) only far enough to find the `smallest` smallest and the `largest`
/// largest; the rest are dropped.
Ranked rank(std::int32_t begin, std::int32_t end, std::size_t smallest, std::size_t largest,
            Network& network) {
  if (end - begin == 1) return {true, {begin}, {}};
  const std::int32_t middle = begin + (end - begin) / 2;
  const Ranked a = rank(begin, middle, smallest, largest, network);
  const Ranked b = rank(middle, end, smallest, largest, network);

  Wires low = merge(a.low, b.low, network);
  if (a.whole && b.whole && low.size() < smallest + largest) return {true, low, {}};
  Wires high = merge(a.high, b.high, network);
  const auto cut = low.begin() + static_cast<std::ptrdiff_t>(std::min(smallest, low.size()));
  if (a.whole || b.whole) high = merge(Wires(cut, low.end()), high, network);
  low.erase(cut, low.end());
  high.erase(high.begin(), high.end() - static_cast<std::ptrdiff_t>(largest));
  return {false, low, high};
}

/// Renumbers the wires so that the smallest end up first and the largest last. Any numbering will
/// do at the start, where the values are in no order.
void renumber(std::int64_t k, const Ranked& ranked, Network& network) {
  Wires position(static_cast<std::size_t>(k), -1);
  std::int32_t next = 0;
  for (const std::int32_t wire : ranked.low) position[static_cast<std::size_t>(wire)] = next++;
  next = static_cast<std::int32_t>(k) - static_cast<std::int32_t>(ranked.high.size());
  for (const std::int32_t wire : ranked.high) position[static_cast<std::size_t>(wire)] = next++;
  next = static_cast<std::int32_t>(ranked.low.size());
  for (std::int32_t& p : position) {
    if (p < 0) p = next++;
  }
  for (Comparator& c : network) {
    c.low = position[static_cast<std::size_t>(c.low)];
    c.high = position[static_cast<std::size_t>(c.high)];
  }
}

/// Removes what does not change the sum, following the network backwards from its end.
Network prune(std::int64_t k, const OrderedSum& sum, const Network& network) {
  // The later use of a wire: none, a term of the sum (in any order), or by its position.
  enum class Use : std::uint8_t { none, summed, placed };
  std::vector<Use> use(static_cast<std::size_t>(k), Use::none);
  std::fill(use.begin() + sum.first, use.begin() + sum.last + 1, Use::summed);
  if (sum.below > 0) use[static_cast<std::size_t>(sum.first)] = Use::placed;
  if (sum.above > 0) use[static_cast<std::size_t>(sum.last)] = Use::placed;

  Network needed;
  for (auto c = network.rbegin(); c != network.rend(); ++c) {
    Use& low = use[static_cast<std::size_t>(c->low)];
    Use& high = use[static_cast<std::size_t>(c->high)];
    if (low == high && low != Use::placed) continue;
    needed.push_back({c->low, c->high, low != Use::none, high != Use::none});
    low = high = Use::placed;
  }
  std::reverse(needed.begin(), needed.end());
  return needed;
}

Network build(std::int64_t k, const OrderedSum& sum) {
  const std::int64_t smallest = sum.first + (sum.below > 0 ? 1 : 0);
  const std::int64_t largest = k - 1 - sum.last + (sum.above > 0 ? 1 : 0);
  Network network;
  const Ranked ranked = rank(0, static_cast<std::int32_t>(k), static_cast<std::size_t>(smallest),
                             static_cast<std::size_t>(largest), network);
  renumber(k, ranked, network);
  return prune(k, sum, network);
}

}  // namespace

const std::vector<Comparator>& selection_network(std::int64_t k, const OrderedSum& sum) {
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool, bool>;
  static std::mutex mutex;
  static std::map<Key, Network> networks;

  const std::lock_guard lock(mutex);
  const Key key{k, sum.first, sum.last, sum.below > 0, sum.above > 0};
  auto found = networks.find(key);
  if (found == networks.end()) found = networks.emplace(key, build(k, sum)).first;
  return found->second;
}

}  // namespace cograd
