#include "cograd/optim/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/engine/form_registry.h"

namespace cograd {

StepRate::StepRate(double base, std::int64_t step_size, double gamma)
    : base_(base), step_size_(step_size), gamma_(gamma) {
  require<ValueError>(step_size >= 1, "[schedule] the step size must be at least 1 epoch, not {}",
                      step_size);
}

double StepRate::rate(double epoch) const {
  return base_ * std::pow(gamma_, std::floor(epoch / static_cast<double>(step_size_)));
}

MultiStepRate::MultiStepRate(double base, std::vector<std::int64_t> milestones, double gamma)
    : base_(base), milestones_(std::move(milestones)), gamma_(gamma) {
  require<ValueError>(std::is_sorted(milestones_.begin(), milestones_.end()) &&
                          (milestones_.empty() || milestones_.front() >= 0),
                      "[schedule] the milestones {} must be epochs in ascending order",
                      fmt::join(milestones_, ", "));
}

double MultiStepRate::rate(double epoch) const {
  const auto passed = std::count_if(
      milestones_.begin(), milestones_.end(),
      [&](std::int64_t milestone) { return static_cast<double>(milestone) <= epoch; });
  return base_ * std::pow(gamma_, static_cast<double>(passed));
}

CosineRate::CosineRate(double base, std::int64_t epochs, double floor)
    : base_(base), epochs_(epochs), floor_(floor) {
  require<ValueError>(epochs >= 1, "[schedule] the cosine needs at least 1 epoch, not {}", epochs);
}

double CosineRate::rate(double epoch) const {
  const double phase = std::numbers::pi * std::floor(epoch) / static_cast<double>(epochs_);
  return floor_ + (base_ - floor_) * (1.0 + std::cos(phase)) / 2.0;
}

WarmUp::WarmUp(std::unique_ptr<Schedule> after, double epochs)
    : after_(std::move(after)), epochs_(epochs) {
  require<ValueError>(epochs > 0.0 && std::isfinite(epochs),
                      "[schedule] warm-up must last a positive number of epochs, not {}", epochs);
}

double WarmUp::rate(double epoch) const {
  return std::min(1.0, epoch / epochs_) * after_->rate(epoch);
}

namespace {

/// Two drops, after a third of the epochs each.
std::unique_ptr<Schedule> thirds(double base, std::int64_t epochs, std::span<const double>) {
  const auto third = [epochs](std::int64_t n) { return (n * epochs + 2) / 3; };  // rounded up
  return std::make_unique<MultiStepRate>(base, std::vector{third(1), third(2)});
}

FormRegistry<ScheduleForm>& registry() {
  static FormRegistry<ScheduleForm> all(
      "schedule", {{"constant", "",
                    [](double base, std::int64_t, std::span<const double>) {
                      return std::make_unique<ConstantRate>(base);
                    }},
                   {"step", "", thirds},
                   {"cosine", "", [](double base, std::int64_t epochs, std::span<const double>) {
                      return std::make_unique<CosineRate>(base, epochs);
                    }}});
  return all;
}

}  // namespace

void register_schedule(ScheduleForm form) { registry().add(std::move(form)); }

std::vector<std::string> schedule_forms() { return registry().texts(); }

ScheduleForm schedule_form(std::string_view text) { return registry().match(text).form; }

std::unique_ptr<Schedule> make_schedule(std::string_view text, double base, std::int64_t epochs) {
  require<ValueError>(epochs >= 1, "[schedule] expected at least 1 epoch, not {}", epochs);
  const auto [form, numbers] = registry().match(text);
  return form.make(base, epochs, numbers);
}

}  // namespace cograd
