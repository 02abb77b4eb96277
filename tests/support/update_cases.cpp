#include "tests/support/update_cases.h"

#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/models/safetensors.h"
#include "cograd/optim/adam.h"
#include "cograd/optim/sgd.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {
namespace {

/// The values of the parameters of an update, one after another.
struct Flat {
  std::vector<double> p, m, v;
  void add(const AdamUpdate& u) {
    const auto append = [](std::vector<double>& all, const Tensor& t) {
      const auto values = t.to(Dtype::f64).to_vector<double>();
      all.insert(all.end(), values.begin(), values.end());
    };
    append(p, u.p);
    append(m, u.first_moment);
    append(v, u.second_moment);
  }
};

/// Two hundred and more small parameters, some longer than a block of the backends' loops, some at
/// odd addresses.
std::vector<std::array<Tensor, 4>> random_parameters() {
  Random random(90);
  std::vector<std::int64_t> sizes{40007, 1, 4096, 4097, 70001};
  for (int i = 0; i < 300; ++i) sizes.push_back(1 + static_cast<std::int64_t>(random.below(40)));
  std::vector<std::array<Tensor, 4>> all;
  for (const std::int64_t n : sizes) {
    std::array<Tensor, 4>& one = all.emplace_back();
    for (Tensor& t : one) t = random_f32({n}, random);
    float* v = one[3].data<float>();  // a mean of squares
    for (std::int64_t i = 0; i < n; ++i) v[i] *= v[i];
  }
  return all;
}

/// The optimizer of a case of make_optimizers.py, by its PyTorch name and options.
std::unique_ptr<Optimizer> optimizer_of_case(const nlohmann::json& c,
                                             const std::vector<Parameter*>& parameters,
                                             const Aggregator& aggregator) {
  const double rate = c.at("lr"), decay = c.value("weight_decay", 0.0);
  if (c.at("optimizer") == "sgd") {
    return std::make_unique<Sgd>(parameters, aggregator,
                                 SgdOptions{.learning_rate = rate,
                                            .momentum = c.value("momentum", 0.0),
                                            .weight_decay = decay,
                                            .nesterov = c.value("nesterov", false)});
  }
  const AdamOptions options{.learning_rate = rate,
                            .beta1 = c.at("betas")[0],
                            .beta2 = c.at("betas")[1],
                            .eps = c.at("eps"),
                            .weight_decay = decay};
  if (c.at("optimizer") == "adam") return std::make_unique<Adam>(parameters, aggregator, options);
  return std::make_unique<AdamW>(parameters, aggregator, options);
}

}  // namespace

void check_adam_updates(Backend& fast) {
  const auto parameters = random_parameters();
  for (const bool decoupled : {false, true}) {
    for (const std::int64_t t : {1, 2, 1000}) {
      CAPTURE(decoupled, t);
      const auto run = [&](Backend& backend, Dtype dtype) {
        std::vector<AdamUpdate> updates;
        bool odd = false;
        for (const auto& [p, g, m, v] : parameters) {
          odd = !odd;
          const auto copy = [&](const Tensor& values) {
            const std::int64_t n = values.numel();
            Tensor room = Tensor::zeros({n + 1}, dtype, backend);
            Tensor place = odd ? room.rows(1, n + 1) : room.rows(0, n);
            place.copy_from(values.to(dtype));
            return place;
          };
          updates.push_back({copy(p), copy(g), copy(m), copy(v)});
        }
        const Tensor count = Tensor::full({1}, static_cast<double>(t), Dtype::i64, backend);
        backend.adam_update(updates, count,
                            {.learning_rate = 0.1,
                             .beta1 = 0.8,
                             .beta2 = 0.99,
                             .eps = 1e-3,
                             .weight_decay = 0.3,
                             .decoupled = decoupled});
        Flat all;
        for (const AdamUpdate& u : updates) all.add(u);
        return all;
      };
      const Flat expected = run(reference_backend(), Dtype::f64), got = run(fast, Dtype::f32);
      const double tolerance = 5e-7;  // a dozen roundings at most, of 6e-8
      CHECK(relative_error(got.p, expected.p) < tolerance);
      CHECK(relative_error(got.m, expected.m) < tolerance);
      CHECK(relative_error(got.v, expected.v) < tolerance);
    }
  }
}

void check_optimizer_goldens(Backend& backend, Dtype dtype, double tolerance) {
  using Json = nlohmann::json;
  const std::filesystem::path folder = std::filesystem::path(COGRAD_SOURCE_DIR) / "tests/golden";
  if (!std::filesystem::exists(folder)) {
    std::printf("SKIPPED: the sources are not at %s\n", COGRAD_SOURCE_DIR);
    return;
  }
  const Safetensors golden = read_safetensors(folder / "optimizers.safetensors");
  const std::vector<std::int64_t> kept = Json::parse(golden.metadata.at("kept"));
  const Json cases = Json::parse(golden.metadata.at("cases"));
  REQUIRE(cases.size() >= 8);
  for (const auto& [name, options] : cases.items()) {
    std::vector<Parameter> parameters(3);
    std::vector<Parameter*> pointers;
    for (const char* parameter : {"weight", "bias", "scale"}) {
      Parameter& p = parameters[pointers.size()];
      p.name = parameter;
      p.value = golden.at("start." + p.name).to(dtype).to(backend).clone();
      pointers.push_back(&p);
    }
    const Mean mean;
    const auto optimizer = optimizer_of_case(options, pointers, mean);
    for (std::int64_t step = 0, row = 0; step < kept.back(); ++step) {
      for (Parameter& p : parameters) {
        p.gradient = golden.at("gradient." + p.name)[step].to(dtype).to(backend);
      }
      optimizer->step();
      if (step + 1 != kept[static_cast<std::size_t>(row)]) continue;
      for (const Parameter& p : parameters) {
        CAPTURE(name, p.name, step);
        const Tensor expected = golden.at(name + "." + p.name)[row];
        CHECK(relative_error(p.value.to(reference_backend()), expected) < tolerance);
      }
      ++row;
    }
  }
}

}  // namespace cograd::testing
