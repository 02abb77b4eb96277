#include "cograd/layers/module.h"

namespace cograd {

void Module::walk(const std::string& prefix,
                  const std::function<void(Module&, const std::string&)>& visit) {
  visit(*this, prefix);
  for (auto& [name, child] : children_) child->walk(prefix + name + ".", visit);
}

void Module::train(bool on) {
  walk("", [on](Module& m, const std::string&) { m.training_ = on; });
}

std::vector<Parameter*> Module::parameters() {
  std::vector<Parameter*> all;
  walk("", [&](Module& m, const std::string& prefix) {
    for (auto& [name, parameter] : m.parameters_) {
      parameter->name = prefix + name;
      all.push_back(parameter.get());
    }
  });
  return all;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> all;
  walk("", [&](Module& m, const std::string&) { all.push_back(&m); });
  return all;
}

std::vector<NamedTensor> Module::state() {
  std::vector<NamedTensor> all;
  walk("", [&](Module& m, const std::string& prefix) {
    for (auto& [name, parameter] : m.parameters_) all.push_back({prefix + name, &parameter->value});
    for (auto& [name, buffer] : m.buffers_) all.push_back({prefix + name, buffer.get()});
  });
  return all;
}

std::vector<NamedCounter> Module::counters() {
  std::vector<NamedCounter> all;
  walk("", [&](Module& m, const std::string& prefix) {
    for (auto& [name, counter] : m.counters_) all.push_back({prefix + name, counter.get()});
  });
  return all;
}

void Module::to(Backend& backend, Dtype dtype) {
  for (NamedTensor& entry : state()) {
    const bool floating = entry.tensor->dtype() != Dtype::i64;
    // Convert before moving: a device need not convert between all types.
    *entry.tensor = (floating ? entry.tensor->to(dtype) : *entry.tensor).to(backend);
  }
}

Parameter& Module::register_parameter(std::string name, Tensor value) {
  auto parameter = std::make_unique<Parameter>();
  parameter->name = name;
  parameter->value = std::move(value);
  return *parameters_.emplace_back(std::move(name), std::move(parameter)).second;
}

Tensor& Module::register_buffer(std::string name, Tensor value) {
  return *buffers_.emplace_back(std::move(name), std::make_unique<Tensor>(std::move(value))).second;
}

std::uint64_t& Module::register_counter(std::string name) {
  return *counters_.emplace_back(std::move(name), std::make_unique<std::uint64_t>(0)).second;
}

}  // namespace cograd
