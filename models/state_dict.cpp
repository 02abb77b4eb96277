#include "models/state_dict.h"

#include <set>

namespace cograd {

void save_state(Module& module, const std::filesystem::path& path,
                std::map<std::string, std::string> metadata) {
  Safetensors content{std::move(metadata), {}};
  for (const NamedTensor& entry : module.state())
    content.tensors.emplace_back(entry.name, *entry.tensor);
  write_safetensors(path, content);
}

void load_state(Module& module, const Safetensors& content) {
  const std::vector<NamedTensor> state = module.state();
  std::set<std::string> known;
  for (const NamedTensor& entry : state) {  // check everything before changing anything
    known.insert(entry.name);
    require<ValueError>(content.contains(entry.name), "[load_state] there is no tensor '{}'",
                        entry.name);
    const Tensor& source = content.at(entry.name);
    require<ShapeError>(source.shape() == entry.tensor->shape(),
                        "[load_state] tensor '{}' is {}: expected {}", entry.name, source.shape(),
                        entry.tensor->shape());
    require<DtypeError>(source.dtype() == entry.tensor->dtype(),
                        "[load_state] tensor '{}' is {}: expected {}", entry.name,
                        name_of(source.dtype()), name_of(entry.tensor->dtype()));
  }
  for (const auto& [name, tensor] : content.tensors) {
    require<ValueError>(known.count(name) == 1, "[load_state] the model has no tensor '{}'", name);
  }
  for (const NamedTensor& entry : state) entry.tensor->copy_from(content.at(entry.name));
}

void load_state(Module& module, const std::filesystem::path& path) {
  load_state(module, read_safetensors(path));
}

}  // namespace cograd
