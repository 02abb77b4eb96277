// SGD and the schedules: what golden trajectories do not reach.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <set>

#include "cograd/optim/schedule.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {
namespace {

/// One scalar parameter that starts at 1, fed with the given gradients one per step.
std::vector<double> trajectory(const Aggregator& aggregator, const SgdOptions& options,
                               const std::vector<double>& gradients) {
  Parameter p;
  p.name = "p";
  p.value = Tensor::full({1}, 1.0, Dtype::f64, reference_backend());
  Sgd sgd({&p}, aggregator, options);
  std::vector<double> values;
  for (double g : gradients) {
    p.gradient = Tensor::full({1}, g, Dtype::f64, reference_backend());
    sgd.step();
    CHECK(p.gradient.item() == g);  // read, never modified
    values.push_back(p.value.item());
  }
  return values;
}

/// As PyTorch's schedulers make each rate from the one before ("chainable"): MultiStepLR,
/// StepLR(epochs / 3) and CosineAnnealingLR(T_max = epochs), all from 0.1.
std::vector<double> multi_step_lr(std::int64_t epochs, const std::multiset<std::int64_t>& at) {
  std::vector<double> rates{0.1};
  for (std::int64_t e = 1; e < epochs; ++e) {
    rates.push_back(rates.back() * std::pow(0.1, static_cast<double>(at.count(e))));
  }
  return rates;
}
std::vector<double> step_lr(std::int64_t epochs) {
  std::vector<double> rates{0.1};
  for (std::int64_t e = 1; e < epochs; ++e) {
    rates.push_back(e % (epochs / 3) == 0 ? 0.1 * rates.back() : rates.back());
  }
  return rates;
}
std::vector<double> cosine_annealing_lr(std::int64_t epochs) {
  const auto half_wave = [epochs](std::int64_t e) {
    return 1.0 + std::cos(std::numbers::pi * static_cast<double>(e) / static_cast<double>(epochs));
  };
  std::vector<double> rates{0.1};
  for (std::int64_t e = 1; e < epochs; ++e) {
    rates.push_back(half_wave(e) / half_wave(e - 1) * rates.back());
  }
  return rates;
}

/// Largest relative difference between the named schedule and these rates.
double furthest(const std::string& name, const std::vector<double>& rates) {
  const auto schedule = make_schedule(name, 0.1, std::ssize(rates));
  double worst = 0.0;
  for (std::size_t e = 0; e < rates.size(); ++e) {
    worst = std::max(worst, std::abs(schedule->rate(static_cast<double>(e)) / rates[e] - 1.0));
  }
  return worst;
}

}  // namespace

TEST_CASE("rolling aggregators wait for three gradients, then take their median or mean",
          "[optim]") {
  const std::vector<double> gradients{1.0, 10.0, 2.0, -5.0};
  const SgdOptions options{.learning_rate = 1.0};
  const auto rm3 = trajectory(RollingMedian(3), options, gradients);
  CHECK(rm3 == std::vector<double>{1.0, 1.0, 1.0 - 2.0, 1.0 - 2.0 - 2.0});
  const auto ra3 = trajectory(RollingMean(3), options, gradients);
  CHECK(ra3[1] == 1.0);
  CHECK(ra3[2] == Approx(1.0 - 13.0 / 3));
  CHECK(ra3[3] == Approx(1.0 - 13.0 / 3 - 7.0 / 3));
}

TEST_CASE("weight decay enters before the window", "[optim]") {
  // With decay 1 and learning rate 1: windows {1+1, 10+1, 2+1}, so the step is 3 and p = -2;
  // then {11, 3, -5-2}: the step is 3.
  const auto p = trajectory(RollingMedian(3), {.learning_rate = 1.0, .weight_decay = 1.0},
                            {1.0, 10.0, 2.0, -5.0});
  CHECK(p[2] == Approx(-2.0));
  CHECK(p[3] == Approx(-5.0));
}

TEST_CASE("Nesterov looks one step ahead", "[optim]") {
  const SgdOptions options{.learning_rate = 0.1, .momentum = 0.5, .nesterov = true};
  const auto p = trajectory(Mean(), options, {1.0, 1.0});
  CHECK(p[0] == Approx(1.0 - 0.1 * 1.5));               // v = 1, d + m v = 1.5
  CHECK(p[1] == Approx(1.0 - 0.1 * 1.5 - 0.1 * 1.75));  // v = 1.5, d + m v = 1.75
}

TEST_CASE("SGD refuses senseless or unstable options", "[optim]") {
  Parameter p;
  p.value = Tensor::zeros({1}, Dtype::f64, reference_backend());
  const auto make = [&](const Aggregator& aggregator, SgdOptions o) {
    Sgd sgd({&p}, aggregator, o);
  };
  CHECK_THROWS_WITH(make(RollingMedian(3), {.momentum = 0.9}), contains("rm3"));
  CHECK_NOTHROW(make(RollingMedian(3), {.momentum = 0.9, .force_momentum_with_rolling = true}));
  CHECK_THROWS_AS(make(Mean(), {.momentum = 1.0}), ValueError);
  CHECK_THROWS_AS(make(Mean(), {.learning_rate = -0.1}), ValueError);
  CHECK_THROWS_AS(make(Mean(), {.weight_decay = -1.0}), ValueError);
  CHECK_THROWS_AS(make(Mean(), {.nesterov = true}), ValueError);
  CHECK_THROWS_AS(Sgd({}, Mean(), {}), ValueError);
}

TEST_CASE("the state of SGD restores to the same trajectory", "[optim]") {
  const RollingMedian aggregator(3);
  const std::vector<double> gradients{1.0, 10.0, 2.0, -5.0, 4.0, 3.0};
  const auto unbroken = trajectory(aggregator, {.learning_rate = 0.1}, gradients);
  Parameter p;
  p.value = Tensor::full({1}, 1.0, Dtype::f64, reference_backend());
  Sgd first({&p}, aggregator, {.learning_rate = 0.1});
  const auto feed = [&](Sgd& sgd, double g) {
    p.gradient = Tensor::full({1}, g, Dtype::f64, reference_backend());
    sgd.step();
  };
  for (int i = 0; i < 4; ++i) feed(first, gradients[static_cast<std::size_t>(i)]);
  Sgd second({&p}, aggregator, {.learning_rate = 0.1});
  second.restore(first.state(), first.steps());
  feed(second, gradients[4]);
  feed(second, gradients[5]);
  CHECK(p.value.item() == unbroken.back());
}

TEST_CASE("SGD names what a step is like", "[optim]") {
  Parameter p;
  p.value = Tensor::full({1}, 1.0, Dtype::f64, reference_backend());
  p.gradient = Tensor::full({1}, 1.0, Dtype::f64, reference_backend());
  const auto variants = [&](const Aggregator& aggregator, int steps) {
    Sgd sgd({&p}, aggregator, {.learning_rate = 0.1});
    std::vector<std::string> all;
    for (int i = 0; i < steps; ++i) {
      all.push_back(sgd.variant());
      if (i == 4) {  // on the device, say
        sgd.count_replayed_step();
      } else {
        sgd.step();
      }
    }
    sgd.set_learning_rate(0.01);
    all.push_back(sgd.variant());
    return all;
  };
  const auto plain = variants(Mean(), 6);
  CHECK(std::set(plain.begin(), plain.end()).size() == 2);
  CHECK(plain[0] == plain[5]);
  CHECK(plain[5] != plain[6]);
  // Two before the window is full, one for each slot, and one of the other rate.
  const auto rolling = variants(RollingMedian(3), 8);
  CHECK(std::set(rolling.begin(), rolling.end()).size() == 6);
  for (const std::size_t i : {2, 3, 4}) CHECK(rolling[i] == rolling[i + 3]);
}

TEST_CASE("schedules are PyTorch's for every number of epochs from 1 to 200", "[optim]") {
  for (std::int64_t epochs = 1; epochs <= 200; ++epochs) {
    CAPTURE(epochs);
    const auto n = static_cast<std::size_t>(epochs);
    CHECK(furthest("constant", std::vector<double>(n, 0.1)) == 0.0);
    CHECK(furthest("cosine", cosine_annealing_lr(epochs)) < 1e-10);  // the recurrence rounds more
    const std::int64_t first = (epochs + 2) / 3, second = (2 * epochs + 2) / 3;
    CHECK(furthest("step", multi_step_lr(epochs, {first, second})) < 1e-12);
    if (epochs % 3 == 0) CHECK(furthest("step", step_lr(epochs)) < 1e-12);
  }
}

TEST_CASE("step drops twice, a third of the epochs apart, however many there are", "[optim]") {
  const auto lengths = [](std::int64_t epochs) {  // of the levels
    std::map<double, int, std::greater<>> levels;
    const auto schedule = make_schedule("step", 1.0, epochs);
    for (std::int64_t e = 0; e < epochs; ++e) ++levels[schedule->rate(static_cast<double>(e))];
    std::vector<int> result;
    for (const auto& [rate, count] : levels) result.push_back(count);
    return result;
  };
  CHECK(lengths(1) == std::vector{1});
  CHECK(lengths(2) == std::vector{1, 1});
  CHECK(lengths(3) == std::vector{1, 1, 1});
  CHECK(lengths(4) == std::vector{2, 1, 1});
  CHECK(lengths(5) == std::vector{2, 2, 1});
  CHECK(lengths(40) == std::vector{14, 13, 13});
  CHECK(lengths(90) == std::vector{30, 30, 30});
  for (std::int64_t epochs = 3; epochs <= 200; ++epochs) {
    CAPTURE(epochs);
    const std::vector<int> levels = lengths(epochs);
    REQUIRE(levels.size() == 3);
    CHECK(*std::max_element(levels.begin(), levels.end()) -
              *std::min_element(levels.begin(), levels.end()) <=
          1);
  }
}

TEST_CASE("schedules by name, warm-up and refusals", "[optim]") {
  CHECK(make_schedule("constant", 0.1, 90)->rate(50) == 0.1);
  CHECK(make_schedule("step", 0.1, 90)->rate(29) == Approx(0.1));
  CHECK(make_schedule("step", 0.1, 90)->rate(30) == Approx(0.01));
  CHECK(make_schedule("cosine", 0.1, 90)->rate(0) == Approx(0.1));
  CHECK(make_schedule("cosine", 0.1, 90)->rate(45) == Approx(0.05));
  const WarmUp warm(make_schedule("constant", 0.4, 10), 5.0);
  CHECK(warm.rate(0.0) == 0.0);
  CHECK(warm.rate(2.5) == Approx(0.2));
  CHECK(warm.rate(7.0) == Approx(0.4));
  CHECK_THROWS_WITH(make_schedule("linear", 0.1, 10), contains("linear"));
  CHECK_THROWS_AS(StepRate(0.1, 0), ValueError);
  CHECK_THROWS_AS(CosineRate(0.1, 0), ValueError);
  CHECK_THROWS_AS(WarmUp(make_schedule("constant", 0.1, 1), 0.0), ValueError);
  CHECK_THROWS_AS(WarmUp(make_schedule("constant", 0.1, 1), INFINITY), ValueError);
  CHECK_THROWS_AS(MultiStepRate(0.1, {20, 10}), ValueError);
  CHECK(MultiStepRate(1.0, {2, 2, 5}, 0.5).rate(4.0) == 0.25);
  for (const char* name : {"constant", "step", "cosine"}) {
    CHECK_THROWS_WITH(make_schedule(name, 0.1, 0), contains("1 epoch"));
  }
}

}  // namespace cograd::testing
