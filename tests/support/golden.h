// Golden values: fixtures computed elsewhere in double and stored as safetensors, read from the
// folder in COGRAD_GOLDEN. What to run is in each file's metadata, never in its name.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cograd/layers/module.h"
#include "cograd/models/safetensors.h"
#include "cograd/models/state_dict.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"

namespace cograd::testing {

struct Fixture {
  std::string name;
  Safetensors content;

  std::string metadata(const std::string& key) const {
    const auto it = content.metadata.find(key);
    return it == content.metadata.end() ? "" : it->second;
  }
  nlohmann::json options() const { return nlohmann::json::parse(metadata("options")); }
  bool has(const std::string& tensor) const { return content.contains(tensor); }
  const Tensor& operator[](const std::string& tensor) const { return content.at(tensor); }
  Tensor on(const std::string& tensor, Backend& backend) const {
    return content.at(tensor).to(backend);
  }
  /// Names of the tensors that begin with `prefix`, without it.
  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const auto& [key, tensor] : content.tensors) {
      if (key.rfind(prefix, 0) == 0) found.push_back(key.substr(prefix.size()));
    }
    return found;
  }
};

/// All fixtures of one metadata `kind`, sorted by name; none, and a line that says so, when
/// COGRAD_GOLDEN is not set. A set folder without a fixture of the kind is a failure.
inline std::vector<Fixture> fixtures(const std::string& kind) {
  const char* folder = std::getenv("COGRAD_GOLDEN");
  if (folder == nullptr) {
    std::printf("SKIPPED: golden %s fixtures: COGRAD_GOLDEN is not set\n", kind.c_str());
    return {};
  }
  std::vector<Fixture> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    Fixture fixture{entry.path().stem().string(), read_safetensors(entry.path())};
    if (fixture.metadata("kind") == kind) found.push_back(std::move(fixture));
  }
  INFO("COGRAD_GOLDEN=" << folder << " has no fixture of kind " << kind);
  REQUIRE(!found.empty());
  std::sort(found.begin(), found.end(),
            [](const Fixture& a, const Fixture& b) { return a.name < b.name; });
  return found;
}

/// The backends that golden values are compared on, in float32.
inline std::vector<Backend*> golden_backends() {
  std::vector<Backend*> backends{&reference_backend()};
  if (&cpu_backend() != backends[0]) backends.push_back(&cpu_backend());
  return backends;
}

/// Copies the fixture's `prefix`NAME tensors into the module's parameters.
inline void load_parameters(Module& module, const Fixture& fixture, const std::string& prefix) {
  for (Parameter* p : module.parameters()) {
    CAPTURE(fixture.name, p->name);
    p->value.copy_from(fixture[prefix + p->name]);
  }
  CHECK(module.parameters().size() == fixture.names(prefix).size());
}

inline void check_tensor(const Tensor& actual, const Tensor& expected, double tolerance,
                         const std::string& what) {
  const double error = relative_error(actual, expected);
  CAPTURE(what, error, tolerance);
  CHECK(error <= tolerance);
}

/// Flattened, and every `stride`-th element when larger than `above`: how sampled fixtures keep
/// gradients.
inline std::vector<double> sampled(const Tensor& t, std::size_t stride, std::size_t above) {
  auto all = t.to(Dtype::f64).to_vector<double>();
  if (all.size() <= above) return all;
  std::vector<double> some;
  for (std::size_t i = 0; i < all.size(); i += stride) some.push_back(all[i]);
  return some;
}

}  // namespace cograd::testing
