#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace cograd {

StepRate::StepRate(double base, int step_size, double gamma)
    : base_(base), step_size_(step_size), gamma_(gamma) {
  require<ValueError>(step_size >= 1, "[schedule] the step size must be at least 1 epoch, not {}",
                      step_size);
}

double StepRate::rate(double epoch) const {
  return base_ * std::pow(gamma_, std::floor(epoch / step_size_));
}

CosineRate::CosineRate(double base, int epochs, double floor)
    : base_(base), epochs_(epochs), floor_(floor) {
  require<ValueError>(epochs >= 1, "[schedule] the cosine needs at least 1 epoch, not {}", epochs);
}

double CosineRate::rate(double epoch) const {
  const double phase = std::numbers::pi * std::floor(epoch) / epochs_;
  return floor_ + (base_ - floor_) * (1.0 + std::cos(phase)) / 2.0;
}

WarmUp::WarmUp(std::unique_ptr<Schedule> after, double epochs)
    : after_(std::move(after)), epochs_(epochs) {
  require<ValueError>(epochs > 0.0, "[schedule] warm-up must last longer than {} epochs", epochs);
}

double WarmUp::rate(double epoch) const {
  return std::min(1.0, epoch / epochs_) * after_->rate(epoch);
}

std::unique_ptr<Schedule> make_schedule(const std::string& name, double base, int epochs) {
  if (name == "constant") return std::make_unique<ConstantRate>(base);
  if (name == "step") return std::make_unique<StepRate>(base, std::max(1, epochs / 3));
  if (name == "cosine") return std::make_unique<CosineRate>(base, std::max(1, epochs));
  throw ValueError(
      fmt::format("[schedule] unknown schedule '{}': expected constant, step or cosine", name));
}

}  // namespace cograd
