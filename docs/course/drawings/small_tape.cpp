// The tape of a network with one residual block, by the program that draws any model's.
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/report/page/tape.h"
#include "docs/course/drawings/draw.h"

namespace course {

std::string draw_small_tape() {
  using namespace cograd;
  Backend& backend = reference_backend();
  const auto parameter = [&](const char* name, const Shape& shape) {
    return Parameter{name, Tensor::full(shape, 0.1, Dtype::f32, backend), {}, {}};
  };
  Parameter w1 = parameter("conv1.weight", {8, 3, 3, 3}),
            w2 = parameter("conv2.weight", {8, 8, 3, 3});
  Parameter gamma = parameter("bn2.weight", {8}), beta = parameter("bn2.bias", {8});
  Parameter w3 = parameter("fc.weight", {10, 8}), b3 = parameter("fc.bias", {10});
  RunningStatistics none;
  const ConvGeometry same{.padding = {1, 1}};

  const Variable x(Tensor::full({6, 3, 8, 8}, 1.0, Dtype::f32, backend), Groups(6, 3));
  const Variable h = relu(conv2d(x, w1, nullptr, same));
  const Variable y = batch_norm(conv2d(h, w2, nullptr, same), gamma, beta, none, 1e-5,
                                Statistics::per_group, Epilogue::add_relu, h);
  const Variable logits = linear(flatten(adaptive_avg_pool2d(y, {1, 1})), w3, &b3);
  const Tensor labels = Tensor::zeros({6}, Dtype::i64, backend);
  return draw_tape(cross_entropy(logits, labels), "The tape of a residual block");
}

}  // namespace course
