#include "cograd/engine/aggregation/gram/krum.h"

#include <algorithm>
#include <numeric>

#include "cograd/engine/error.h"

namespace cograd {

Krum::Krum(std::int64_t groups, KrumOptions options)
    : GramAggregator(groups),
      options_(options),
      neighbours_(options.neighbours.value_or(groups - options.byzantine - 2)) {
  require<ValueError>(options.byzantine >= 0 && neighbours_ >= 1 && neighbours_ < groups,
                      "[{}] {} of {} groups leave {} neighbours: expected K >= F + 3", name(),
                      options.byzantine, groups, neighbours_);
  require<ValueError>(options.selected >= 1 && options.selected <= groups,
                      "[{}] {} selected of {} groups: expected 1 to {}", name(), options.selected,
                      groups, groups);
}

std::string Krum::name() const {
  return options_.selected == 1 ? fmt::format("krum:{},{}", group_count(), options_.byzantine)
                                : fmt::format("multikrum:{},{},{}", group_count(),
                                              options_.byzantine, options_.selected);
}

std::vector<double> Krum::weights_of(const GramMatrix& gram) const {
  const std::int64_t k = gram.size();
  std::vector<double> scores;
  for (std::int64_t i = 0; i < k; ++i) {
    std::vector<double> distances;
    for (std::int64_t j = 0; j < k; ++j) {
      if (j != i) distances.push_back(gram.squared_distance(i, j));
    }
    std::sort(distances.begin(), distances.end());
    scores.push_back(std::accumulate(distances.begin(), distances.begin() + neighbours_, 0.0));
  }
  std::vector<std::size_t> order(static_cast<std::size_t>(k));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  std::vector<double> weights(static_cast<std::size_t>(k), 0.0);
  for (std::int64_t i = 0; i < options_.selected; ++i) {
    weights[order[static_cast<std::size_t>(i)]] = 1.0 / static_cast<double>(options_.selected);
  }
  return weights;
}

}  // namespace cograd
