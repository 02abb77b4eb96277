// Learning-rate schedules: the rate as a function of the epoch, counted from 0.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// The rate at `epoch`, fractions included: steps done over steps of an epoch. Of ours, only
  /// warm-up depends on the fraction.
  virtual double rate(double epoch) const = 0;
};

class ConstantRate final : public Schedule {
 public:
  explicit ConstantRate(double base) : base_(base) {}
  double rate(double) const override { return base_; }

 private:
  double base_;
};

/// base * gamma^floor(epoch / step_size)
class StepRate final : public Schedule {
 public:
  /// Throws ValueError unless step_size >= 1.
  StepRate(double base, std::int64_t step_size, double gamma = 0.1);
  double rate(double epoch) const override;

 private:
  double base_;
  std::int64_t step_size_;
  double gamma_;
};

/// base * gamma^(milestones that are at most epoch): PyTorch's MultiStepLR.
class MultiStepRate final : public Schedule {
 public:
  /// Throws ValueError unless the milestones ascend and are at least 0. Two at one epoch both
  /// count.
  MultiStepRate(double base, std::vector<std::int64_t> milestones, double gamma = 0.1);
  double rate(double epoch) const override;

 private:
  double base_;
  std::vector<std::int64_t> milestones_;
  double gamma_;
};

/// floor + (base - floor) (1 + cos(pi floor(epoch) / epochs)) / 2. Loshchilov and Hutter, "SGDR",
/// ICLR 2017, without restarts.
class CosineRate final : public Schedule {
 public:
  /// Throws ValueError unless epochs >= 1.
  CosineRate(double base, std::int64_t epochs, double floor = 0.0);
  double rate(double epoch) const override;

 private:
  double base_;
  std::int64_t epochs_;
  double floor_;
};

/// Rises linearly from 0 to the rate of `after` during the first `epochs` epochs, then follows
/// `after`. Goyal et al., "Accurate, Large Minibatch SGD", 2017.
class WarmUp final : public Schedule {
 public:
  /// Throws ValueError unless epochs is positive and finite.
  WarmUp(std::unique_ptr<Schedule> after, double epochs);
  double rate(double epoch) const override;

 private:
  std::unique_ptr<Schedule> after_;
  double epochs_;
};

/// How a text becomes a schedule: "decay:0.9" is the form of name "decay" with the number 0.9.
struct ScheduleForm {
  std::string name;     ///< letters, digits and _
  std::string numbers;  ///< as help shows them: "GAMMA"; empty for none
  /// Gets the base rate, the number of epochs, at least 1, and as many numbers as `numbers` names.
  /// Throws ValueError for numbers out of range.
  std::function<std::unique_ptr<Schedule>(double base, std::int64_t epochs,
                                          std::span<const double>)>
      make;
};

/// Makes a form known to make_schedule(), for programs with schedules of their own: call it first
/// in main(). Throws ValueError for a name that is taken or none.
void register_schedule(ScheduleForm form);
/// All forms, as help shows them: "constant", "step", "cosine", ...
std::vector<std::string> schedule_forms();
/// Throws ValueError naming all forms if none fits.
ScheduleForm schedule_form(std::string_view text);

/// "constant"; "step": a tenth after each third of `epochs`, rounded up to whole epochs, so that 90
/// epochs drop at 30 and 60, 40 at 14 and 27; "cosine": to 0 over `epochs`. These are PyTorch's
/// MultiStepLR and CosineAnnealingLR. Throws ValueError for an unknown text or epochs < 1.
std::unique_ptr<Schedule> make_schedule(std::string_view text, double base, std::int64_t epochs);

}  // namespace cograd
