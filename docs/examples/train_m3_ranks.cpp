// Trains as train_m3 does, by as many processes as mpirun starts: each reads and differentiates its
// part of every batch, and all apply the median (M3) of the gradients of three groups. Exits with 0
// if the loss fell. With one process it does all itself:
//   mpirun -n 3 example_train_m3_ranks
#include <fmt/format.h>

#include "cograd/data/data.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/models/model_on_ranks.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

int main() try {
  using namespace cograd;
  Backend& backend = cpu_backend();
  const auto ranks = make_communicator(backend);
  const auto train = std::make_shared<CorruptedLabels>(draw_glyphs({.size = 3000}), 0.5, 1);
  Loader loader(
      train, {.batch_size = 30, .drop_last = true, .part = ranks->rank(), .parts = ranks->size()},
      backend);
  const auto model = make_model("mlp", {.image = train->image_shape(), .classes = 10});
  model->to(backend);

  MedianOfMeans m3(3);  // 3, 6, 9 ... ranks hold a part of a group each, one rank all three
  DataParallel parallel(m3, *ranks, 30, model->parameters(), kept_statistics(*model));
  parallel.share();  // all start from the weights of rank 0
  Sgd sgd(model->parameters(), m3, {.learning_rate = 0.1});
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 5; ++epoch) {
    last = 0;
    loader.start_epoch(epoch);
    while (auto batch = loader.next()) {
      const Variable logits = (*model)(Variable(batch->images, parallel.groups()));
      const Variable loss = cross_entropy(logits, batch->labels);
      last += parallel.mean_loss(loss.value()) / loader.batches();
      parallel.backward(loss);  // leaves the same median in each parameter of every rank
      sgd.step();
    }
    if (ranks->rank() == 0) fmt::print("epoch {}: loss {:.3f}\n", epoch, last);
    if (epoch == 0) first = last;
  }
  return last < first ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "train_m3_ranks: error: {}\n", error.what());
  return 1;
}
