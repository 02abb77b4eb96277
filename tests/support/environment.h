// The environment of a test.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace cograd::testing {

/// Sets variables of the environment for as long as it lives.
class Environment {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  explicit Environment(Variables variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& variable : variables_) unsetenv(variable.first.c_str());
  }

 private:
  Variables variables_;
};

}  // namespace cograd::testing
