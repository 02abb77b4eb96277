#include "cograd/engine/aggregation/aggregator_registry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "cograd/engine/aggregation/coordinate/and_mask.h"
#include "cograd/engine/aggregation/coordinate/huber_mean.h"
#include "cograd/engine/aggregation/coordinate/meamed.h"
#include "cograd/engine/aggregation/coordinate/sign_majority.h"
#include "cograd/engine/aggregation/gram/centred_clipping.h"
#include "cograd/engine/aggregation/gram/cosine_filter.h"
#include "cograd/engine/aggregation/gram/geometric_median.h"
#include "cograd/engine/aggregation/gram/krum.h"
#include "cograd/engine/aggregation/gram/mgda.h"
#include "cograd/engine/aggregation/gram/pcgrad.h"
#include "cograd/engine/aggregation/gram/upgrad.h"
#include "cograd/engine/aggregation/norm_matched.h"
#include "cograd/engine/aggregation/sign_sum.h"
#include "cograd/engine/form_registry.h"

namespace cograd {
namespace {

using Numbers = std::span<const double>;

class NotWhole final : public ValueError {
 public:
  using ValueError::ValueError;
};

/// A form whose number is K.
template <class Rule>
AggregatorForm by_groups(std::string name) {
  return {std::move(name), "K", [](Numbers n) -> std::unique_ptr<Aggregator> {
            return std::make_unique<Rule>(whole_number(n[0]));
          }};
}

std::vector<AggregatorForm> built_in() {
  const auto make = []<class Rule>(Rule rule) -> std::unique_ptr<Aggregator> {
    return std::make_unique<Rule>(std::move(rule));
  };
  return {
      {"mean", "", [=](Numbers) { return make(Mean()); }},
      by_groups<Mean>("mean"),
      {"m3", "", [=](Numbers) { return make(MedianOfMeans(3)); }},
      by_groups<MedianOfMeans>("mom"),
      {"rm3", "", [=](Numbers) { return make(RollingMedian(3)); }},
      {"ra3", "", [=](Numbers) { return make(RollingMean(3)); }},
      {"trimmed", "K,T",
       [=](Numbers n) { return make(TrimmedMean(whole_number(n[0]), whole_number(n[1]))); }},
      {"winsorized", "C", [=](Numbers n) { return make(Winsorized(n[0])); }},
      {"meamed", "K,F",
       [](Numbers n) { return mean_around_median(whole_number(n[0]), whole_number(n[1])); }},
      {"and", "K,TAU", [](Numbers n) { return and_mask(whole_number(n[0]), n[1]); }},
      {"signs", "K", [](Numbers n) { return sign_majority(whole_number(n[0])); }},
      {"sign_sum", "", [=](Numbers) { return make(SignSum()); }},
      {"huber", "K", [](Numbers n) { return huber_mean(whole_number(n[0])); }},
      {"krum", "K,F",
       [=](Numbers n) {
         return make(Krum(whole_number(n[0]), {.byzantine = whole_number(n[1])}));
       }},
      {"multikrum", "K,F,M",
       [=](Numbers n) {
         return make(Krum(whole_number(n[0]),
                          {.byzantine = whole_number(n[1]), .selected = whole_number(n[2])}));
       }},
      by_groups<GeometricMedian>("geomed"),
      {"clipping", "K,TAU,L",
       [=](Numbers n) {
         return make(CentredClipping(whole_number(n[0]),
                                     {.radius = n[1], .iterations = whole_number(n[2])}));
       }},
      by_groups<Mgda>("mgda"),
      by_groups<UpGrad>("upgrad"),
      by_groups<PcGrad>("pcgrad"),
      {"gaf", "K,TAU", [=](Numbers n) { return make(CosineFilter(whole_number(n[0]), n[1])); }},
  };
}

FormRegistry<AggregatorForm>& registry() {
  static FormRegistry<AggregatorForm> all("aggregator", built_in());
  return all;
}

/// "rm5" and "ra5": a window of any length.
std::unique_ptr<Aggregator> rolling(std::string_view text) {
  int window = 0;
  const auto [stop, error] = std::from_chars(text.data() + std::min<std::size_t>(2, text.size()),
                                             text.data() + text.size(), window);
  if (error != std::errc{} || stop != text.data() + text.size()) return nullptr;
  if (text.starts_with("rm")) return std::make_unique<RollingMedian>(window);
  if (text.starts_with("ra")) return std::make_unique<RollingMean>(window);
  return nullptr;
}

}  // namespace

std::int64_t whole_number(double number) {
  require<NotWhole>(number == std::floor(number) && std::abs(number) < 1e9,
                    "[aggregator] {} is no whole number", number);
  return static_cast<std::int64_t>(number);
}

void register_aggregator(AggregatorForm form) { registry().add(std::move(form)); }

std::vector<std::string> aggregator_forms() {
  std::vector<std::string> all = registry().texts();
  all.emplace_back("RULE~NORM");
  return all;
}

std::unique_ptr<Aggregator> parse_aggregator(std::string_view text) {
  if (const std::size_t at = text.find('~'); at != std::string_view::npos) {
    return std::make_unique<NormMatched>(parse_aggregator(text.substr(0, at)),
                                         parse_aggregator(text.substr(at + 1)));
  }
  if (auto rule = rolling(text)) return rule;
  const auto [form, numbers] = registry().match(text);
  try {
    return form.make(numbers);
  } catch (const NotWhole&) {
    registry().refuse(text);
  }
}

}  // namespace cograd
