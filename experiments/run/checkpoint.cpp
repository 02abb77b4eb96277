#include "experiments/run/checkpoint.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "models/safetensors.h"
#include "models/state_dict.h"

namespace cograd {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStateKey = "training_state";

/// The tensors named PREFIX.NAME, as NAME.
Safetensors below(const Safetensors& content, std::string_view prefix) {
  Safetensors part;
  for (const auto& [name, tensor] : content.tensors) {
    if (name.starts_with(prefix)) part.tensors.emplace_back(name.substr(prefix.size()), tensor);
  }
  return part;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, Module& model, const Sgd& optimizer,
                     const LearningOrder& order, const TrainingState& state) {
  Safetensors content;
  for (const NamedTensor& entry : model.state()) {
    content.tensors.emplace_back("model." + entry.name, *entry.tensor);
  }
  const std::vector<Parameter*> parameters = model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Sgd::State& s = optimizer.state()[i];
    const std::string& name = parameters[i]->name;
    if (s.velocity.defined()) content.tensors.emplace_back("velocity." + name, s.velocity);
    if (s.window.defined()) content.tensors.emplace_back("window." + name, s.window);
  }
  order.save(content);
  Json counters = Json::object();
  for (const NamedCounter& counter : model.counters()) counters[counter.name] = *counter.value;
  const Json json = {{"epoch", state.epoch},
                     {"step", state.step},
                     {"loss_sum", state.loss_sum},
                     {"examples", state.examples},
                     {"batches", state.batches},
                     {"coherence", state.coherence},
                     {"file_lengths", state.file_lengths},
                     {"optimizer_steps", optimizer.steps()},
                     {"counters", counters}};
  content.metadata[kStateKey] = json.dump();
  write_safetensors(path, content);
}

TrainingState load_checkpoint(const std::filesystem::path& path, Module& model, Sgd& optimizer,
                              LearningOrder& order) {
  const Safetensors content = read_safetensors(path);
  const auto text = content.metadata.find(kStateKey);
  require<FormatError>(text != content.metadata.end(), "[checkpoint] {} holds no training state",
                       path.string());
  TrainingState state;
  std::int64_t steps = 0;
  try {
    const Json json = Json::parse(text->second);
    state.epoch = json.at("epoch");
    state.step = json.at("step");
    state.loss_sum = json.at("loss_sum");
    state.examples = json.at("examples");
    state.batches = json.at("batches");
    json.at("coherence").get_to(state.coherence);
    json.at("file_lengths").get_to(state.file_lengths);
    steps = json.at("optimizer_steps");
    for (const NamedCounter& counter : model.counters()) {
      *counter.value = json.at("counters").at(counter.name);
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("[checkpoint] {} is damaged: {}", path.string(), error.what()));
  }
  load_state(model, below(content, "model."));

  const Safetensors velocity = below(content, "velocity."), window = below(content, "window.");
  std::vector<Sgd::State> tensors;
  for (const Parameter* p : model.parameters()) {
    const auto on_device = [p](const Safetensors& from) {
      return from.contains(p->name) ? from.at(p->name).to(p->value.backend()) : Tensor();
    };
    tensors.push_back({on_device(velocity), on_device(window)});
  }
  optimizer.restore(std::move(tensors), steps);
  order.load(content);
  return state;
}

}  // namespace cograd
