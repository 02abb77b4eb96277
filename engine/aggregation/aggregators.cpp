// The aggregators: their names, their limits, and which reduction they ask the backend for.
#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

void require_groups(const Aggregator& aggregator, std::int64_t groups) {
  require<ValueError>(groups >= 1, "[{}] {} groups: expected at least 1", aggregator.name(),
                      groups);
}

void require_window(const Aggregator& aggregator, int window) {
  require<ValueError>(window >= 1, "[{}] a window of {} steps: expected at least 1",
                      aggregator.name(), window);
}

}  // namespace

std::int64_t Aggregator::split(std::int64_t batch_size, std::int64_t groups) const {
  require<ValueError>(batch_size >= groups,
                      "[{}] a batch of {} cannot be split into {} group{}: expected at least {}",
                      name(), batch_size, groups, groups == 1 ? "" : "s", groups);
  return groups;
}

Mean::Mean(std::int64_t groups) : groups_(groups) { require_groups(*this, groups); }

std::string Mean::name() const { return groups_ == 1 ? "mean" : fmt::format("mean:{}", groups_); }

std::int64_t Mean::groups(std::int64_t batch_size) const { return split(batch_size, groups_); }

MedianOfMeans::MedianOfMeans(std::int64_t groups) : groups_(groups) {
  require_groups(*this, groups);
}

std::string MedianOfMeans::name() const {
  return groups_ == 3 ? "m3" : fmt::format("mom:{}", groups_);
}

std::int64_t MedianOfMeans::groups(std::int64_t batch_size) const {
  return split(batch_size, groups_);
}

RollingMedian::RollingMedian(int window) : window_(window) { require_window(*this, window); }

std::string RollingMedian::name() const { return fmt::format("rm{}", window_); }

std::int64_t RollingMedian::groups(std::int64_t batch_size) const { return split(batch_size, 1); }

RollingMean::RollingMean(int window) : window_(window) { require_window(*this, window); }

std::string RollingMean::name() const { return fmt::format("ra{}", window_); }

std::int64_t RollingMean::groups(std::int64_t batch_size) const { return split(batch_size, 1); }

TrimmedMean::TrimmedMean(std::int64_t groups, std::int64_t trim) : groups_(groups), trim_(trim) {
  require_groups(*this, groups);
  require<ValueError>(trim >= 0 && trim <= (groups - 1) / 2,
                      "[{}] trimming {} on either side of {} leaves nothing: expected 0 to {}",
                      name(), trim, groups, (groups - 1) / 2);
}

std::string TrimmedMean::name() const { return fmt::format("trimmed:{},{}", groups_, trim_); }

std::int64_t TrimmedMean::groups(std::int64_t batch_size) const {
  return split(batch_size, groups_);
}

Reduction TrimmedMean::over_groups() const {
  return {.kind = Reduction::Kind::trimmed_mean, .trim = trim_};
}

Winsorized::Winsorized(double percent) : percent_(percent) {
  require<ValueError>(percent >= 0 && percent < 50, "[{}] {} percent: expected 0 <= C < 50", name(),
                      percent);
}

std::string Winsorized::name() const { return fmt::format("winsorized:{}", percent_); }

Reduction Winsorized::over_groups() const {
  return {.kind = Reduction::Kind::winsorized_mean, .percent = percent_};
}

}  // namespace cograd
