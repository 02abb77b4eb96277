// Golden per-example aggregators, percentile ranks, optimizer trajectories and schedules.
#include <cmath>

#include "cograd/engine/ops/ops.h"
#include "cograd/models/mlp.h"
#include "cograd/optim/schedule.h"
#include "cograd/optim/sgd.h"
#include "tests/support/golden.h"

namespace cograd::testing {
namespace {

std::unique_ptr<Mlp> mlp_of(const Fixture& fixture, const std::string& prefix, Backend& backend) {
  std::vector<std::int64_t> sizes{fixture[prefix + "fc1.weight"].size(1)};
  for (int i = 1; fixture.has(prefix + "fc" + std::to_string(i) + ".weight"); ++i) {
    sizes.push_back(fixture[prefix + "fc" + std::to_string(i) + ".weight"].size(0));
  }
  Random random(1);
  auto model = std::make_unique<Mlp>(sizes, random);
  model->to(backend);
  load_parameters(*model, fixture, prefix);
  return model;
}

/// Leading number of names such as "winsor10_sum.": the percent.
int percent_in(const std::string& name, const std::string& aggregator) {
  return std::stoi(name.substr(name.find(aggregator) + aggregator.size()));
}

std::unique_ptr<Aggregator> aggregator_of(const std::string& aggregator) {
  if (aggregator == "sgd") return std::make_unique<Mean>();
  if (aggregator == "group median") return std::make_unique<MedianOfMeans>(3);
  if (aggregator == "ring median") return std::make_unique<RollingMedian>(3);
  if (aggregator == "ring mean") return std::make_unique<RollingMean>(3);
  return nullptr;
}

}  // namespace

TEST_CASE("golden aggregators over stored per-example gradients", "[golden]") {
  for (const Fixture& fixture : fixtures("aggregator")) {
    for (const std::string& name : fixture.names("example.")) {
      for (Backend* backend : golden_backends()) {
        CAPTURE(fixture.name, name, backend->name());
        const Tensor stack = fixture.on("example." + name, *backend);
        const auto n = static_cast<double>(stack.size(0));
        const auto check = [&](const Reduction& reduction, const std::string& key, double scale) {
          Tensor out = Tensor::empty(stack.shape().inner(), Dtype::f32, *backend);
          backend->reduce(reduction, stack, out, nullptr);
          auto values = out.to(Dtype::f64).to_vector<double>();
          for (double& v : values) v *= scale;
          CAPTURE(key);
          CHECK(relative_error(values, fixture[key + name].to(Dtype::f64).to_vector<double>()) <=
                1e-6);
        };
        check({Reduction::Kind::mean}, "mean.", 1.0);
        check({Reduction::Kind::mean}, "sum.", n);
        for (const auto& [key, tensor] : fixture.content.tensors) {
          const std::string aggregator =
              key.substr(0, key.size() - std::min(key.size(), name.size()));
          if (aggregator.empty() || aggregator + name != key) continue;
          if (aggregator.rfind("winsor", 0) == 0) {
            check({.kind = Reduction::Kind::winsorized_mean,
                   .percent = static_cast<double>(percent_in(aggregator, "winsor"))},
                  aggregator, n);
          } else if (aggregator.rfind("trimmed", 0) == 0) {
            const auto trim = static_cast<std::int64_t>(
                std::floor(n * percent_in(aggregator, "trimmed") / 100.0));
            check({.kind = Reduction::Kind::trimmed_mean, .trim = trim}, aggregator, 1.0);
          }
        }
      }
    }
  }
}

TEST_CASE("golden winsorized mean through the backward pass", "[golden]") {
  for (const Fixture& fixture : fixtures("aggregator")) {
    if (!fixture.has("example.fc1.weight")) continue;
    for (Backend* backend : golden_backends()) {
      const auto model = mlp_of(fixture, "param.", *backend);
      const Tensor input = fixture.on("input", *backend);
      const std::int64_t n = input.size(0);
      for (double percent : {10.0, 20.0}) {
        CAPTURE(fixture.name, backend->name(), percent);
        Winsorized aggregator(percent);
        const Variable loss =
            cross_entropy((*model)(Variable(input, Groups(n, n))), fixture.on("target", *backend));
        check_tensor(loss.value(), fixture["example_loss"], 1e-5, "example_loss");
        backward(loss, aggregator);
        for (Parameter* p : model->parameters()) {
          CAPTURE(p->name);
          auto sum = p->gradient.to(Dtype::f64).to_vector<double>();
          for (double& v : sum) v *= static_cast<double>(n);
          const std::string key = fmt::format("winsor{}_sum.{}", percent, p->name);
          CHECK(relative_error(sum, fixture[key].to(Dtype::f64).to_vector<double>()) <= 1e-4);
        }
      }
    }
  }
}

TEST_CASE("golden percentile ranks", "[golden]") {
  for (const Fixture& fixture : fixtures("aggregator")) {
    if (!fixture.has("low_index")) continue;
    const auto count = fixture["count"].to_vector<std::int64_t>();
    const auto percent = fixture["percent"].to_vector<std::int64_t>();
    const auto low = fixture["low_index"].to_vector<std::int64_t>();
    const auto high = fixture["high_index"].to_vector<std::int64_t>();
    for (std::size_t row = 0; row < count.size(); ++row) {
      // Over the values 0 .. n-1 the winsorized mean is a function of the two ranks alone.
      const std::int64_t n = count[row];
      double expected = 0.0;
      std::vector<float> values;
      for (std::int64_t i = 0; i < n; ++i) {
        values.push_back(static_cast<float>(i));
        expected += static_cast<double>(std::clamp(i, low[row], std::max(low[row], high[row])));
      }
      for (Backend* backend : golden_backends()) {
        CAPTURE(backend->name(), n, percent[row]);
        const Tensor stack = Tensor::from(values, {n, 1}, *backend);
        Tensor out = Tensor::empty({1}, Dtype::f32, *backend);
        backend->reduce({.kind = Reduction::Kind::winsorized_mean,
                         .percent = static_cast<double>(percent[row])},
                        stack, out, nullptr);
        CHECK(out.item() == Approx(expected / static_cast<double>(n)).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("golden optimizer trajectories", "[golden]") {
  for (const Fixture& fixture : fixtures("optimizer")) {
    for (Backend* backend : golden_backends()) {
      CAPTURE(fixture.name, backend->name());
      const auto aggregator = aggregator_of(fixture.metadata("rule"));
      REQUIRE(aggregator != nullptr);
      const auto model = mlp_of(fixture, "init.", *backend);
      Sgd sgd(model->parameters(), *aggregator,
              {.learning_rate = std::stod(fixture.metadata("lr")),
               .momentum = std::stod(fixture.metadata("momentum")),
               .weight_decay = std::stod(fixture.metadata("weight_decay"))});
      const Tensor inputs = fixture.on("batch_input", *backend);
      const Tensor targets = fixture.on("batch_target", *backend);
      std::vector<double> losses;
      for (std::int64_t s = 0; s < inputs.size(0); ++s) {
        const std::int64_t n = inputs.size(1);
        const Variable x(inputs[s], Groups(n, aggregator->groups(n)));
        const Variable loss = cross_entropy((*model)(x), targets[s]);
        double sum = 0.0;
        for (float v : loss.value().to_vector<float>()) sum += v;
        losses.push_back(sum / static_cast<double>(loss.shape()[0]));
        backward(loss, *aggregator);
        sgd.step();
        for (Parameter* p : model->parameters()) {
          const std::string key = fmt::format("step{}.{}", s + 1, p->name);
          if (fixture.has(key)) check_tensor(p->value, fixture[key], 1e-5, key);
        }
      }
      CHECK(relative_error(losses, fixture["loss"].to(Dtype::f64).to_vector<double>()) <= 1e-5);
    }
  }
}

TEST_CASE("golden schedules", "[golden]") {
  for (const Fixture& fixture : fixtures("schedule")) {
    const auto epochs = fixture["epoch"].to_vector<std::int64_t>();
    int checked = 0;
    for (const auto& [key, text] : fixture.content.metadata) {
      if (!fixture.has(key)) continue;
      const auto o = nlohmann::json::parse(text);
      std::unique_ptr<Schedule> schedule;
      if (o["kind"] == "StepLR") {
        schedule = std::make_unique<StepRate>(o["base_lr"], o["step_size"], o["gamma"]);
      } else if (o["kind"] == "CosineAnnealingLR") {
        schedule = std::make_unique<CosineRate>(o["base_lr"], o["T_max"], o["eta_min"]);
      }
      REQUIRE(schedule != nullptr);
      const auto rates = fixture[key].to(Dtype::f64).to_vector<double>();
      for (std::size_t i = 0; i < epochs.size(); ++i) {
        CAPTURE(key, epochs[i]);
        CHECK(schedule->rate(static_cast<double>(epochs[i])) ==
              Approx(rates[i]).epsilon(1e-6).margin(1e-7));
      }
      ++checked;
    }
    CHECK(checked > 0);
  }
}

}  // namespace cograd::testing
