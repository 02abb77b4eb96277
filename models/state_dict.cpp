#include "cograd/models/state_dict.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "cograd/engine/backend.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

bool is_floating(Dtype dtype) {
  return dtype == Dtype::f64 || dtype == Dtype::f32 || dtype == Dtype::bf16;
}

/// Batch norm counts its batches; nothing depends on the count.
bool is_batch_count(const std::string& name) { return name.ends_with("num_batches_tracked"); }

/// The count to load into `target`; nothing if the file lacks it or holds no count: half precision
/// cannot represent large ones.
std::optional<Tensor> count_for(const Tensor& target, const Safetensors& content,
                                const std::string& name) {
  constexpr double kMost = 0x1p53;
  if (!content.contains(name) || content.at(name).numel() != 1) return std::nullopt;
  const double count = content.at(name).item();
  if (!(count >= 0.0 && count <= kMost)) return std::nullopt;
  return Tensor::full(target.shape(), count, target.dtype(), reference_backend());
}

Tensor cast_for(const Tensor& target, const Tensor& source, const std::string& name) {
  require<ShapeError>(source.shape() == target.shape(),
                      "[load_state] tensor '{}' is {}: expected {}", printable(name),
                      source.shape(), target.shape());
  if (source.dtype() == target.dtype()) return source;
  require<DtypeError>(is_floating(source.dtype()) && is_floating(target.dtype()),
                      "[load_state] tensor '{}' is {}: expected {}", printable(name),
                      name_of(source.dtype()), name_of(target.dtype()));
  Tensor result = source.to(target.dtype());
  if (size_of(source.dtype()) <= size_of(target.dtype())) return result;
  const auto before = source.to(Dtype::f64).to_vector<double>(),
             after = result.to(Dtype::f64).to_vector<double>();
  for (std::size_t i = 0; i < before.size(); ++i) {
    require<ValueError>(std::isfinite(after[i]) || !std::isfinite(before[i]),
                        "[load_state] tensor '{}' holds {}, which is beyond the range of {}",
                        printable(name), before[i], name_of(target.dtype()));
  }
  return result;
}

std::string first_name(const Safetensors& content) {
  if (!content.tensors.empty()) return content.tensors.front().first;
  return content.unread.empty() ? "" : content.unread.begin()->first;
}

/// The source of each tensor in `state`; undefined if the module keeps its own value.
std::vector<Tensor> sources_for(const std::vector<NamedTensor>& state, const Safetensors& content) {
  std::vector<Tensor> sources;
  for (const auto& [name, target] : state) {
    if (is_batch_count(name)) {
      sources.push_back(count_for(*target, content, name).value_or(Tensor()));
      continue;
    }
    require<ValueError>(content.contains(name) || content.unread.count(name) == 1,
                        "[load_state] there is no tensor '{}'; the first of the file is '{}'", name,
                        printable(first_name(content)));
    sources.push_back(cast_for(*target, content.at(name), name));
  }
  return sources;
}

}  // namespace

void save_state(Module& module, const std::filesystem::path& path,
                std::map<std::string, std::string> metadata) {
  Safetensors content;
  content.metadata = std::move(metadata);
  for (const NamedTensor& entry : module.state())
    content.tensors.emplace_back(entry.name, *entry.tensor);
  write_safetensors(path, content);
}

void load_state(Module& module, const Safetensors& content) {
  const std::vector<NamedTensor> state = module.state();
  const Safetensors plain = unwrapped(content);
  // Check all before changing any.
  const std::vector<Tensor> sources = sources_for(state, plain);
  std::set<std::string> known;
  for (const NamedTensor& entry : state) known.insert(entry.name);
  const auto require_known = [&](const std::string& name) {
    require<ValueError>(known.count(name) == 1, "[load_state] the model has no tensor '{}'",
                        printable(name));
  };
  for (const auto& entry : plain.tensors) require_known(entry.first);
  for (const auto& entry : plain.unread) require_known(entry.first);
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (sources[i].defined()) state[i].tensor->copy_from(sources[i]);
  }
}

void load_state(Module& module, const std::filesystem::path& path) {
  const Safetensors content = read_safetensors(path);
  require_finite(content, printable(path.native()));
  load_state(module, content);
}

Safetensors unwrapped(Safetensors content) {
  const auto all_begin_with = [&](std::string_view prefix) {
    const auto begins = [&](const auto& entry) { return entry.first.starts_with(prefix); };
    return !(content.tensors.empty() && content.unread.empty()) &&
           std::all_of(content.tensors.begin(), content.tensors.end(), begins) &&
           std::all_of(content.unread.begin(), content.unread.end(), begins);
  };
  for (std::string_view prefix :
       {"module.", "_orig_mod.", "module."}) {  // compiled, or wrapped, first
    if (!all_begin_with(prefix)) continue;
    for (auto& entry : content.tensors) entry.first.erase(0, prefix.size());
    std::map<std::string, std::string> unread;
    for (const auto& [name, type] : content.unread) unread[name.substr(prefix.size())] = type;
    content.unread = std::move(unread);
  }
  return content;
}

void require_finite(const Safetensors& content, const std::string& file) {
  for (const auto& [name, tensor] : content.tensors) {
    if (!is_floating(tensor.dtype()) || is_batch_count(name)) continue;
    const auto check = [&, &tensor_name = name](const auto& values) {
      for (const double value : values) {
        require<ValueError>(std::isfinite(value),
                            "[weights] {}: tensor '{}' holds {}: expected finite numbers", file,
                            printable(tensor_name), value);
      }
    };
    if (tensor.dtype() == Dtype::f32) {
      check(tensor.to_vector<float>());
    } else {
      check(tensor.to(Dtype::f64).to_vector<double>());
    }
  }
}

}  // namespace cograd
