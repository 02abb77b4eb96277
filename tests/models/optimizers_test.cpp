// The base class of optimizers, Adam, and the registry.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cograd/optim/adam.h"
#include "cograd/optim/optimizer_registry.h"
#include "cograd/optim/schedule.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"
#include "tests/support/update_cases.h"

namespace cograd::testing {
namespace {

/// Plain SGD as a user may write it: the window is the base's affair.
class OwnSgd final : public Optimizer {
 public:
  OwnSgd(std::vector<Parameter*> parameters, const Aggregator& aggregator, double rate,
         double decay = 0.0, std::vector<std::string> state = {})
      : Optimizer("own", std::move(parameters), aggregator, {rate, decay}, std::move(state)) {}

 protected:
  void update(std::span<Update> updates, double weight_decay) override {
    for (Update& u : updates) {
      auto* p = u.p.data<double>();
      const auto* g = std::as_const(u.g).data<double>();
      for (std::int64_t i = 0; i < u.p.numel(); ++i) {
        p[i] -= learning_rate() * (g[i] + weight_decay * p[i]);
      }
    }
  }
};

using Values = std::vector<double>;

/// A parameter of three elements in f64, and its optimizer.
struct OneParameter {
  Parameter p;
  OneParameter() {
    p.name.assign(1, 'p');  // GCC 12 warns of an assignment
    p.value = Tensor::from(Values{1.0, -2.0, 0.5}, {3}, reference_backend());
  }
  Values values() const { return p.value.to_vector<double>(); }
  void step(Optimizer& optimizer, const Values& gradient) {
    p.gradient = Tensor::from(gradient, {3}, reference_backend());
    optimizer.step();
    CHECK(p.gradient.to_vector<double>() == gradient);  // read, never modified
  }
};

std::vector<Values> random_gradients(int steps) {
  Random random(91);
  std::vector<Values> all(static_cast<std::size_t>(steps), Values(3));
  for (Values& gradient : all) {
    for (double& g : gradient) g = random.normal();
  }
  return all;
}

double middle(double a, double b, double c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

/// The parameter after each step of `optimizer_text` under RM3, and after its definition: from the
/// third step on, the optimizer under the mean gets the medians of the last three g + coupled p.
void check_rolling_median(const std::string& text, double decay, double coupled) {
  CAPTURE(text, decay);
  const RollingMedian rm3(3);
  const Mean mean;
  OneParameter rolling, plain;
  const auto under_rm3 = make_optimizer(text, {&rolling.p}, rm3, {0.1, 0.0, decay, false});
  const auto under_mean =
      make_optimizer(text, {&plain.p}, mean, {0.1, 0.0, coupled > 0.0 ? 0.0 : decay, false});
  std::vector<Values> window;
  for (const Values& gradient : random_gradients(9)) {
    window.push_back(gradient);
    for (std::size_t i = 0; i < 3; ++i) window.back()[i] += coupled * plain.values()[i];
    const std::size_t n = window.size();
    if (n >= 3) {
      Values medians(3);
      for (std::size_t i = 0; i < 3; ++i) {
        medians[i] = middle(window[n - 3][i], window[n - 2][i], window[n - 1][i]);
      }
      plain.step(*under_mean, medians);
    }
    rolling.step(*under_rm3, gradient);
    CHECK(relative_error(rolling.values(), plain.values()) < 1e-14);
  }
  CHECK(relative_error(plain.values(), OneParameter().values()) > 0.01);
}

}  // namespace

TEST_CASE("SGD, Adam and AdamW follow PyTorch's trajectories", "[optim]") {
  check_optimizer_goldens(reference_backend(), Dtype::f64, 1e-12);
  check_optimizer_goldens(reference_backend(), Dtype::f32, 1e-6);
  check_optimizer_goldens(cpu_backend(), Dtype::f32, 1e-6);
}

TEST_CASE("Adam's kernels equal the reference", "[optim]") {
  check_adam_updates(reference_backend());
  check_adam_updates(cpu_backend());
}

TEST_CASE("RM3 works with every optimizer, coupled decay enters before the window", "[optim]") {
  for (const std::string text : {"adam", "adam:0.5,0.9", "sgd"}) {
    check_rolling_median(text, 0.3, 0.3);
    check_rolling_median(text, 0.0, 0.0);
  }
  check_rolling_median("adamw:0.8,0.95", 0.3, 0.0);
}

TEST_CASE("the base's window is that of SGD's fused kernel", "[optim]") {
  for (const char* rule : {"rm3", "ra3", "rm5", "mean"}) {
    CAPTURE(rule);
    const auto aggregator = parse_aggregator(rule);
    OneParameter a, b;
    OwnSgd own({&a.p}, *aggregator, 0.1, 0.2);
    Sgd fused({&b.p}, *aggregator, {.learning_rate = 0.1, .weight_decay = 0.2});
    for (const Values& gradient : random_gradients(12)) {
      CHECK(own.variant() == fused.variant());
      a.step(own, gradient);
      b.step(fused, gradient);
      CHECK(relative_error(a.values(), b.values()) < 1e-15);
    }
    CHECK(own.steps() == 12);
  }
}

TEST_CASE("Adam keeps what is finite: zeros, huge and tiny gradients", "[optim]") {
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    Parameter p;
    p.value = Tensor::full({4}, 1.0, Dtype::f32, *backend);
    const Mean mean;
    Adam adam({&p}, mean, {.learning_rate = 0.1});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const std::vector<float>& g : {std::vector<float>{0.0f, 1e-30f, 1e30f, 1.0f},
                                        std::vector<float>{0.0f, 1e-30f, -1e30f, nan}}) {
      p.gradient = Tensor::from(g, {4}, *backend);
      adam.step();
    }
    const auto values = p.value.to_vector<float>();
    CHECK(values[0] == 1.0f);  // 0 / eps
    for (const std::size_t i : {1, 2}) CHECK(std::isfinite(values[i]));
    CHECK(std::isnan(values[3]));  // seen, and in its own coordinate alone
  }
}

TEST_CASE("the state of Adam under RM3 restores to the same bits", "[optim]") {
  const RollingMedian rm3(3);
  const std::vector<Values> gradients = random_gradients(12);
  for (std::size_t stop = 0; stop <= gradients.size(); ++stop) {
    OneParameter unbroken, broken;
    Adam first({&broken.p}, rm3, {.weight_decay = 0.1}),
        whole({&unbroken.p}, rm3, {.weight_decay = 0.1});
    for (const Values& g : gradients) unbroken.step(whole, g);
    for (std::size_t i = 0; i < stop; ++i) broken.step(first, gradients[i]);
    Adam second({&broken.p}, rm3, {.weight_decay = 0.1});
    second.restore(first.state(), first.steps());
    for (std::size_t i = stop; i < gradients.size(); ++i) broken.step(second, gradients[i]);
    CHECK(broken.values() == unbroken.values());
  }
}

TEST_CASE("a state that is not the optimizer's is refused", "[optim]") {
  const RollingMedian rm3(3);
  OneParameter f;
  Adam adam({&f.p}, rm3);
  f.step(adam, {1.0, 2.0, 3.0});
  CHECK(adam.state_names() == std::vector<std::string>{"first_moment", "second_moment", "window"});
  auto lacking = adam.state();
  lacking[0].erase("second_moment");
  CHECK_THROWS_WITH(adam.restore(lacking, 1),
                    contains("[adam] the state of p lacks 'second_moment'"));
  auto unknown = adam.state();
  unknown[0]["velocity"] = f.p.value;
  CHECK_THROWS_WITH(adam.restore(unknown, 1), contains("'velocity' of p is unknown"));
  auto wide = adam.state();
  wide[0]["window"] = f.p.value;
  CHECK_THROWS_AS(adam.restore(wide, 1), ShapeError);
  auto narrow = adam.state();
  narrow[0]["first_moment"] = f.p.value.to(Dtype::f32);
  CHECK_THROWS_AS(adam.restore(narrow, 1), DtypeError);
  CHECK_THROWS_WITH(adam.restore({}, 1), contains("0 parameters, not 1"));
  CHECK_THROWS_AS(adam.restore(adam.state(), -1), ValueError);
  CHECK(adam.steps() == 1);
}

TEST_CASE("a step without any gradient is none", "[optim]") {
  OneParameter f;
  const RollingMedian rm3(3);
  Adam adam({&f.p}, rm3);
  adam.step();
  CHECK(adam.steps() == 0);
  CHECK(adam.state()[0].empty());
}

TEST_CASE("Adam and own optimizers refuse senseless numbers and names", "[optim]") {
  OneParameter f;
  const Mean mean;
  const auto make = [&](AdamOptions options) { AdamW adam({&f.p}, mean, options); };
  CHECK_THROWS_WITH(make({.beta1 = 1.0}), contains("[adamw] beta must be in [0, 1), not 1"));
  CHECK_THROWS_AS(make({.beta2 = -0.1}), ValueError);
  CHECK_THROWS_AS(make({.eps = 0.0}), ValueError);
  CHECK_THROWS_AS(make({.weight_decay = -1.0}), ValueError);
  CHECK_THROWS_AS(make({.learning_rate = -1.0}), ValueError);
  CHECK_THROWS_AS(Adam({}, mean), ValueError);
  for (const char* name : {"window", "model", "a.b", ""}) {
    CHECK_THROWS_WITH(OwnSgd({&f.p}, mean, 0.1, 0.0, {name}), contains("[own] state cannot be"));
  }
  OwnSgd own({&f.p}, mean, 0.1);
  CHECK_FALSE(own.recordable());  // its numbers may change from step to step
}

TEST_CASE("optimizers by name", "[optim]") {
  OneParameter f;
  const Mean mean;
  const RollingMedian rm3(3);
  const auto make = [&](const std::string& text, OptimizerSettings settings = {},
                        const Aggregator* rule = nullptr) {
    return make_optimizer(text, {&f.p}, rule != nullptr ? *rule : mean, settings);
  };
  CHECK(dynamic_cast<Sgd*>(make("sgd", {.momentum = 0.9}).get()) != nullptr);
  CHECK(dynamic_cast<AdamW*>(make("adamw:0.9,0.99,1e-6").get()) != nullptr);
  CHECK(make("adam", {.learning_rate = 0.3})->learning_rate() == 0.3);
  CHECK_THROWS_WITH(make("adam", {.momentum = 0.9}), contains("adam takes no momentum"));
  CHECK_THROWS_WITH(make("adam:0.9,1"), contains("beta must be in [0, 1), not 1"));
  CHECK_THROWS_WITH(make("sgd", {.momentum = 0.9}, &rm3), contains("unstable"));
  for (const char* text : {"", "Adam", "adam:", "adam:0.9", "adam:x,y", "adam:0.9,0.99,", "sgd:1",
                           "adam:0.9,nan", "adam:0.9,0.9,1e-8,1"}) {
    CHECK_THROWS_WITH(make(text), contains("expected sgd, adam, adam:BETA1,BETA2"));
  }

  const auto own = [](std::vector<Parameter*> parameters, const Aggregator& rule,
                      const OptimizerSettings& s,
                      std::span<const double> n) -> std::unique_ptr<Optimizer> {
    return std::make_unique<OwnSgd>(std::move(parameters), rule, n[0] * s.learning_rate);
  };
  register_optimizer({"own_scaled", "FACTOR", own});
  CHECK(make("own_scaled:3", {.learning_rate = 0.5})->learning_rate() == 1.5);
  CHECK(optimizer_forms().back() == "own_scaled:FACTOR");
  CHECK_THROWS_WITH(register_optimizer({"own_scaled", "F", own}), contains("is taken"));
  CHECK_THROWS_WITH(register_optimizer({"own scaled", "F", own}), contains("is no name"));
}

TEST_CASE("own schedules by name", "[optim]") {
  register_schedule(
      {"own_decay", "GAMMA", [](double base, std::int64_t, std::span<const double> numbers) {
         return std::make_unique<StepRate>(base, 1, numbers[0]);
       }});
  CHECK(make_schedule("own_decay:0.5", 1.0, 10)->rate(3.9) == 0.125);
  CHECK(schedule_forms() ==
        std::vector<std::string>{"constant", "step", "cosine", "own_decay:GAMMA"});
  CHECK_THROWS_WITH(make_schedule("own_decay", 1.0, 10), contains("expected constant, step, "));
  CHECK_THROWS_WITH(register_schedule({"step", "", nullptr}), contains("'step' is taken"));
}

}  // namespace cograd::testing
