// Learning-rate schedules: the rate as a function of the epoch, counted from 0.
#pragma once

#include <memory>
#include <string>

namespace cograd {

class Schedule {
 public:
  virtual ~Schedule() = default;
  /// Rate in force at `epoch`; fractions of an epoch matter to warm-up alone.
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
  StepRate(double base, int step_size, double gamma = 0.1);
  double rate(double epoch) const override;

 private:
  double base_;
  int step_size_;
  double gamma_;
};

/// floor + (base - floor) (1 + cos(pi floor(epoch) / epochs)) / 2. Loshchilov and Hutter, "SGDR",
/// ICLR 2017, without restarts.
class CosineRate final : public Schedule {
 public:
  /// Throws ValueError unless epochs >= 1.
  CosineRate(double base, int epochs, double floor = 0.0);
  double rate(double epoch) const override;

 private:
  double base_;
  int epochs_;
  double floor_;
};

/// The first `epochs` epochs rise linearly from 0 to what `after` says; then `after` alone.
/// Goyal et al., "Accurate, Large Minibatch SGD", 2017.
class WarmUp final : public Schedule {
 public:
  /// Throws ValueError unless epochs > 0.
  WarmUp(std::unique_ptr<Schedule> after, double epochs);
  double rate(double epoch) const override;

 private:
  std::unique_ptr<Schedule> after_;
  double epochs_;
};

/// By name: "constant", "step" (a tenth every third of `epochs`), "cosine" (to 0 over `epochs`).
/// Throws ValueError naming the known ones.
std::unique_ptr<Schedule> make_schedule(const std::string& name, double base, int epochs);

}  // namespace cograd
