// The names of aggregators: what --aggregator of every study reads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"

namespace cograd {

/// How a text becomes an aggregator: "krum:5,1" is the form of name "krum" with numbers 5 and 1.
struct AggregatorForm {
  std::string name;     ///< letters, digits and _
  std::string numbers;  ///< as help shows them: "K,F"; empty for none
  /// Gets as many numbers as `numbers` names. Throws ValueError for numbers out of range.
  std::function<std::unique_ptr<Aggregator>(std::span<const double>)> make;
};

/// A number of a form as a count. Throws ValueError for one that is not whole; parse_aggregator()
/// then says which forms there are.
std::int64_t whole_number(double number);

/// Makes a form known to parse_aggregator(), for programs with aggregators of their own: call it
/// first in main(). Throws ValueError for a name that is taken or none.
void register_aggregator(AggregatorForm form);
/// All forms, as help shows them: "mean", "mean:K", "m3", ...
std::vector<std::string> aggregator_forms();

}  // namespace cograd
