#include <cmath>
#include <memory>
#include <numbers>

#include "cograd/engine/error.h"
#include "cograd/optim/schedule.h"

using namespace cograd;

class WarmRestarts final : public Schedule {
 public:
  WarmRestarts(double base, double first) : base_(base), first_(first) {
    require<ValueError>(first >= 1, "[restarts] a first fall of {} epochs: expected at least 1",
                        first);
  }
  double rate(double epoch) const override {
    double length = first_;
    for (; epoch >= length; length *= 2) epoch -= length;
    return base_ * (1.0 + std::cos(std::numbers::pi * epoch / length)) / 2.0;
  }

 private:
  double base_;
  double first_;  ///< T
};

void register_restarts() {
  const auto make = [](double base, std::int64_t, std::span<const double> numbers) {
    return std::make_unique<WarmRestarts>(base, numbers[0]);
  };
  register_schedule({"restarts", "T", make});
}
