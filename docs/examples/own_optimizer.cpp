// An optimizer of one's own: Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms",
// 2023), trained with RM3 on drawn digits. Exits with 0 if the loss fell.
#include <fmt/format.h>

#include "cograd/data/data.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/models/registry.h"
#include "cograd/optim/optimizer.h"

using namespace cograd;

/// c = 0.9 m + 0.1 g,  p -= lr sign(c),  m = 0.99 m + 0.01 g. The base keeps m, the rolling window
/// of RM3 and what checkpoints need.
class Lion final : public Optimizer {
 public:
  Lion(std::vector<Parameter*> parameters, const Aggregator& aggregator, double rate)
      : Optimizer("lion", std::move(parameters), aggregator, {rate}, {"momentum"}) {}

 private:
  void update(std::span<Update> updates, double /* weight_decay */) override {
    const auto rate = static_cast<float>(learning_rate());
    for (Update& u : updates) {
      float *p = u.p.data<float>(), *m = u.state[0].data<float>(), *g = u.g.data<float>();
      for (std::int64_t i = 0; i < u.p.numel(); ++i) {
        const float c = 0.9f * m[i] + 0.1f * g[i];
        p[i] -= rate * static_cast<float>((c > 0) - (c < 0));
        m[i] = 0.99f * m[i] + 0.01f * g[i];
      }
    }
  }
};

int main() {
  Backend& backend = cpu_backend();
  Loader loader(draw_glyphs({.size = 2000}), {.batch_size = 20, .drop_last = true}, backend);
  const auto model = make_model("mlp", {.image = {1, 28, 28}, .classes = 10});
  model->to(backend);
  const RollingMedian rm3(3);
  Lion lion(model->parameters(), rm3, 0.0003);
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 4; ++epoch) {
    last = 0;
    loader.start_epoch(epoch);
    while (auto batch = loader.next()) {
      const Variable loss = cross_entropy((*model)(Variable(batch->images)), batch->labels);
      backward(loss, rm3);
      lion.step();  // moves the parameters from the third step on
      last += loss.value().item() / static_cast<double>(loader.batches());
    }
    fmt::print("epoch {}: loss {:.3f}\n", epoch, last);
    if (epoch == 0) first = last;
  }
  return last < 0.5 * first ? 0 : 1;
}
