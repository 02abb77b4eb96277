// Aggregators that are a CoordinateRule.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/aggregation/coordinate/coordinate_rule.h"

namespace cograd {

class CoordinateAggregator final : public Aggregator {
 public:
  CoordinateAggregator(std::string name, std::shared_ptr<const CoordinateRule> rule);
  std::string name() const override { return name_; }
  std::int64_t groups(std::int64_t batch_size) const override;
  Reduction over_groups() const override;

 private:
  std::string name_;
  std::shared_ptr<const CoordinateRule> rule_;
};

/// The vector registers that a rule's loop may use: the cpu backend says, by COGRAD_SIMD and the
/// processor.
enum class Registers : std::uint8_t { baseline, avx2, avx512 };
Registers registers_in_force();

/// Throws ValueError unless 1 <= groups <= most.
void check_coordinate_groups(const std::string& name, std::int64_t groups, std::int64_t most);

}  // namespace cograd
