#include "cograd/engine/aggregation/aggregator_registry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
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
#include "cograd/engine/error.h"

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

std::vector<AggregatorForm>& forms() {
  static std::vector<AggregatorForm> all = built_in();
  return all;
}

std::ptrdiff_t count_of(std::string_view numbers) {
  return numbers.empty() ? 0 : 1 + std::count(numbers.begin(), numbers.end(), ',');
}

/// The numbers of "5,0.25"; nothing for what is none.
std::optional<std::vector<double>> read_numbers(std::string_view text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    double number = 0.0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || !std::isfinite(number)) return std::nullopt;
    numbers.push_back(number);
    if (stop == end) return numbers;
    if (*stop != ',') return std::nullopt;
    at = stop + 1;
  }
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

void register_aggregator(AggregatorForm form) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  require<ValueError>(!form.name.empty() && std::all_of(form.name.begin(), form.name.end(), plain),
                      "[aggregator] '{}' cannot name an aggregator: expected letters, digits and _",
                      form.name);
  for (const AggregatorForm& other : forms()) {
    require<ValueError>(
        other.name != form.name || count_of(other.numbers) != count_of(form.numbers),
        "[aggregator] '{}' is taken", form.name);
  }
  forms().push_back(std::move(form));
}

std::string aggregator_forms() {
  std::string all;
  for (const AggregatorForm& form : forms()) {
    all += (all.empty() ? "" : ", ") + form.name + (form.numbers.empty() ? "" : ":") + form.numbers;
  }
  return all;
}

std::unique_ptr<Aggregator> parse_aggregator(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  std::optional<std::vector<double>> numbers = std::vector<double>{};
  if (colon != std::string_view::npos) numbers = read_numbers(text.substr(colon + 1));
  try {
    for (const AggregatorForm& form : forms()) {
      if (numbers && form.name == name && count_of(form.numbers) == std::ssize(*numbers)) {
        return form.make(*numbers);
      }
    }
    if (auto rule = rolling(text)) return rule;
  } catch (const NotWhole&) {  // as good as unreadable
  }
  throw ValueError(
      fmt::format("[aggregator] cannot read '{}': expected {}", text, aggregator_forms()));
}

}  // namespace cograd
