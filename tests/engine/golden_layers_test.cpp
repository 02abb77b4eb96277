// Every golden layer: output and all gradients, 1e-5 in float32.
#include <map>

#include "cograd/engine/ops/ops.h"
#include "tests/support/golden.h"

namespace cograd::testing {
namespace {

/// A loss over y whose gradient with respect to y is the fixture's upstream gradient.
Variable with_upstream(const Variable& y, const Tensor& upstream) {
  return record("upstream", Tensor::zeros({1}, y.value().dtype(), y.backend()), {y}, {},
                [upstream](const Tensor&, Backward& pass) { pass.input_gradient(0, upstream); });
}

Pair pair_of(const nlohmann::json& value) {
  if (value.is_array()) return {value[0].get<std::int64_t>(), value[1].get<std::int64_t>()};
  return {value.get<std::int64_t>(), value.get<std::int64_t>()};
}

/// Leaves and parameters of one layer run.
struct Run {
  const Fixture& fixture;
  Backend& backend;
  nlohmann::json options;
  std::map<std::string, Variable> leaves{};
  std::map<std::string, Parameter> parameters{};

  Variable leaf(const std::string& name) {
    return leaves[name] = Variable::leaf(fixture.on(name, backend));
  }
  Parameter* parameter(const std::string& name) {
    if (!fixture.has(name)) return nullptr;
    Parameter& p = parameters[name];
    p.name = name;
    p.value = fixture.on(name, backend);
    return &p;
  }
};

PoolGeometry pool_geometry(const nlohmann::json& o) {
  PoolGeometry g;
  g.kernel = pair_of(o["kernel"]);
  g.stride = pair_of(o["stride"]);
  g.padding = pair_of(o["padding"]);
  g.ceil_mode = o.value("ceil_mode", false);
  g.count_include_pad = o.value("count_include_pad", true);
  return g;
}

Variable batch_norm_layer(Run& r) {
  RunningStatistics running{r.fixture.on("running_mean", r.backend).clone(),
                            r.fixture.on("running_var", r.backend).clone(),
                            r.options["momentum"].get<double>()};
  const double eps = r.options["eps"].get<double>();
  Parameter& gamma = *r.parameter("weight");
  Parameter& beta = *r.parameter("bias");
  if (!r.options["training"].get<bool>()) {
    return batch_norm_inference(r.leaf("input"), gamma, beta, running, eps);
  }
  Variable y = batch_norm(r.leaf("input"), gamma, beta, running, eps);
  check_tensor(running.mean, r.fixture["running_mean_after"], 1e-5, "running_mean");
  check_tensor(running.variance, r.fixture["running_var_after"], 1e-5, "running_var");
  return y;
}

using Build = Variable (*)(Run&);
const std::map<std::string, Build> kLayers{
    {"linear",
     [](Run& r) { return linear(r.leaf("input"), *r.parameter("weight"), r.parameter("bias")); }},
    {"flatten_linear",
     [](Run& r) {
       return linear(flatten(r.leaf("input")), *r.parameter("weight"), r.parameter("bias"));
     }},
    {"conv2d",
     [](Run& r) {
       const ConvGeometry g{pair_of(r.options["stride"]), pair_of(r.options["padding"]),
                            pair_of(r.options["dilation"]),
                            r.options["groups"].get<std::int64_t>()};
       return conv2d(r.leaf("input"), *r.parameter("weight"), r.parameter("bias"), g);
     }},
    {"batchnorm2d", batch_norm_layer},
    {"maxpool2d", [](Run& r) { return max_pool2d(r.leaf("input"), pool_geometry(r.options)); }},
    {"avgpool2d", [](Run& r) { return avg_pool2d(r.leaf("input"), pool_geometry(r.options)); }},
    {"adaptive_avgpool2d",
     [](Run& r) { return adaptive_avg_pool2d(r.leaf("input"), pair_of(r.options["output"])); }},
    {"relu", [](Run& r) { return relu(r.leaf("input")); }},
    {"residual_add", [](Run& r) { return add(r.leaf("input0"), r.leaf("input1")); }},
    {"residual_add_relu", [](Run& r) { return add_relu(r.leaf("input0"), r.leaf("input1")); }},
    {"concat",
     [](Run& r) {
       std::vector<Variable> parts;
       for (const std::string& i : r.fixture.names("input")) parts.push_back(r.leaf("input" + i));
       return concat(parts);
     }},
    {"softmax_cross_entropy",
     [](Run& r) {
       return cross_entropy(r.leaf("input"), r.fixture.on("target", r.backend),
                            r.options["label_smoothing"].get<double>());
     }},
};

}  // namespace

TEST_CASE("golden layers", "[golden]") {
  for (const Fixture& fixture : fixtures("layer")) {
    for (Backend* backend : golden_backends()) {
      CAPTURE(fixture.name, backend->name());
      Run run{fixture, *backend, fixture.options()};
      const auto build = kLayers.find(fixture.metadata("op"));
      REQUIRE(build != kLayers.end());
      // Inputs far from zero lose digits when the mean is subtracted.
      const bool offset = fixture.name.find("offset") != std::string::npos;
      const double tolerance = offset ? 1e-4 : 1e-5;

      const Variable y = build->second(run);
      check_tensor(y.value().row_major().reshape(fixture["output"].shape()), fixture["output"],
                   tolerance, "output");
      Mean mean;
      backward(y.shape() == Shape{1} ? y : with_upstream(y, fixture.on("grad_output", *backend)),
               mean);
      for (auto& [name, leaf] : run.leaves) {
        check_tensor(leaf.gradient(), fixture["grad_" + name], tolerance, "grad_" + name);
      }
      for (auto& [name, p] : run.parameters) {
        check_tensor(p.gradient, fixture["grad_" + name], tolerance, "grad_" + name);
      }
      CHECK(run.leaves.size() + run.parameters.size() == fixture.names("grad_").size() - 1);
    }
  }
}

}  // namespace cograd::testing
