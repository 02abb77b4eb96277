#include "cograd/experiments/train/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cograd/data/checksum.h"
#include "cograd/engine/text.h"
#include "cograd/experiments/record/json_reader.h"
#include "cograd/models/safetensors.h"
#include "cograd/models/state_dict.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStateKey = "training_state";
constexpr const char* kChecksumKey = "checksum";
constexpr const char* kContributionsKey = "contributions";
constexpr std::int64_t kMost = std::int64_t{1} << 62;  // where no tighter bound is known

/// The tensors named PREFIX.NAME, under NAME.
Safetensors below(const Safetensors& content, std::string_view prefix) {
  Safetensors part;
  for (const auto& [name, tensor] : content.tensors) {
    if (name.starts_with(prefix)) part.tensors.emplace_back(name.substr(prefix.size()), tensor);
  }
  return part;
}

TrainingState read_state(const JsonReader& reader, const RunLength& length,
                         const std::vector<Parameter*>& parameters) {
  TrainingState state;
  state.epoch = reader.integer("epoch", 1, length.epochs + 1);
  state.step = reader.integer("step", 0, state.epoch <= length.epochs ? length.steps_per_epoch : 0);
  state.loss_sum = reader.number("loss_sum");
  state.examples = reader.integer("examples", 0, kMost);
  state.batches = reader.integer("batches", 0, length.steps_per_epoch);
  if (reader.has(kContributionsKey)) {
    for (auto& [name, values] : reader.object(kContributionsKey).number_lists()) {
      state.contributions = std::move(values);
    }
  }
  for (auto& [name, values] : reader.object("coherence").number_lists()) {
    const bool known = std::any_of(parameters.begin(), parameters.end(),
                                   [&key = name](const Parameter* p) { return p->name == key; });
    reader.check(known, "coherence of {}: there is no such parameter", printable(name));
    state.coherence[name] = std::move(values);
  }
  for (const auto& [name, file] : reader.object("files").objects()) {
    state.files[name] = {static_cast<std::uint64_t>(file.integer("length", 0, kMost)),
                         file.text("checksum")};
  }
  return state;
}

}  // namespace

std::string checksum_of_checkpoint(const Safetensors& content) {
  Checksum checksum;
  checksum.add(content.metadata.at(kStateKey));
  for (const auto& [name, tensor] : content.tensors) {
    checksum.add(fmt::format("\n{} {} {}\n", name, name_of(tensor.dtype()), tensor.shape().str()));
    checksum.add({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()});
  }
  return checksum.text();
}

void save_checkpoint(const std::filesystem::path& path, Module& model, const Optimizer& optimizer,
                     const LearningOrder& order, const TrainingState& state) {
  Safetensors content;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    content.tensors.emplace_back(name, tensor.row_major().to(reference_backend()));
  };
  for (const NamedTensor& entry : model.state()) add("model." + entry.name, *entry.tensor);
  const std::vector<Parameter*> parameters = model.parameters();
  const std::vector<Optimizer::State> states = optimizer.state();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (const auto& [name, tensor] : states[i]) add(name + "." + parameters[i]->name, tensor);
  }
  order.save(content);
  Json counters = Json::object(), files = Json::object();
  for (const NamedCounter& counter : model.counters()) counters[counter.name] = *counter.value;
  for (const auto& [name, file] : state.files) {
    files[name] = {{"length", file.length}, {"checksum", file.checksum}};
  }
  Json json = {{"epoch", state.epoch},
               {"step", state.step},
               {"loss_sum", state.loss_sum},
               {"examples", state.examples},
               {"batches", state.batches},
               {"coherence", state.coherence},
               {"files", files},
               {"optimizer_steps", optimizer.steps()},
               {"counters", counters}};
  if (!state.contributions.empty()) {
    json[kContributionsKey] = {{"integrals", state.contributions}};
  }
  content.metadata[kStateKey] = json.dump();
  content.metadata[kChecksumKey] = checksum_of_checkpoint(content);
  write_safetensors(path, content);
}

TrainingState load_checkpoint(const std::filesystem::path& path, Module& model,
                              Optimizer& optimizer, LearningOrder& order, const RunLength& length) {
  const std::string file = printable(path.native());
  Safetensors content = read_safetensors(path);
  require<FormatError>(
      content.metadata.count(kStateKey) == 1 && content.metadata.count(kChecksumKey) == 1,
      "[checkpoint] {} holds no training state", file);
  const std::string& text = content.metadata[kStateKey];
  require<FormatError>(content.metadata[kChecksumKey] == checksum_of_checkpoint(content),
                       "[checkpoint] {} is damaged: its checksum is another", file);
  const JsonReader reader(text, fmt::format("[checkpoint] {} is damaged", file));
  TrainingState state = read_state(reader, length, model.parameters());
  const JsonReader counters = reader.object("counters");
  for (const NamedCounter& counter : model.counters()) {
    *counter.value = static_cast<std::uint64_t>(counters.integer(counter.name.c_str(), 0, kMost));
  }
  const std::int64_t last_step = length.epochs * length.steps_per_epoch;
  const std::int64_t steps = reader.integer("optimizer_steps", 0, last_step);
  load_state(model, below(content, "model."));

  std::vector<Optimizer::State> states;
  for (const Parameter* p : model.parameters()) {
    Optimizer::State& tensors = states.emplace_back();
    for (const std::string& name : optimizer.state_names()) {
      const std::string key = name + "." + p->name;
      if (content.contains(key)) tensors[name] = content.at(key).to(p->value.backend());
    }
  }
  optimizer.restore(states, steps);
  order.load(content, last_step);
  return state;
}

}  // namespace cograd
