// Trains an MLP on drawn digits, half of whose labels are random, with the median of three group
// gradients (M3). Exits with 0 if the loss fell.
#include <fmt/format.h>

#include "cograd/data/data.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

int main() {
  using namespace cograd;
  Backend& backend = cpu_backend();
  const auto train = std::make_shared<CorruptedLabels>(draw_glyphs({.size = 3000}), 0.5, 1);
  Loader loader(train, {.batch_size = 30, .drop_last = true}, backend);
  const auto model = make_model("mlp", {.image = train->image_shape(), .classes = 10});
  model->to(backend);

  MedianOfMeans m3(3);  // or Mean, RollingMedian, TrimmedMean, Winsorized ...
  Sgd sgd(model->parameters(), m3, {.learning_rate = 0.1});
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 5; ++epoch) {
    last = 0;
    loader.start_epoch(epoch);
    while (auto batch = loader.next()) {
      const Groups groups(30, m3.groups(30));  // the batch is 3 groups of 10
      const Variable logits = (*model)(Variable(batch->images, groups));
      const Variable loss = cross_entropy(logits, batch->labels);  // one loss per group
      backward(loss, m3);  // leaves the median of the three gradients in each parameter
      sgd.step();
      for (float l : loss.value().to_vector<float>()) last += l / 3.0 / loader.batches();
    }
    fmt::print("epoch {}: loss {:.3f}\n", epoch, last);
    if (epoch == 0) first = last;
  }
  return last < first ? 0 : 1;
}
