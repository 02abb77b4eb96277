#include "cograd/layers/conv2d.h"

#include "cograd/engine/ops/ops.h"

namespace cograd {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& options, Random& random)
    : geometry_(options.geometry) {
  const std::int64_t cg = geometry_.channel_groups;
  require<ValueError>(in >= 1 && out >= 1 && cg >= 1 && in % cg == 0 && out % cg == 0,
                      "[conv2d] {} channel groups must divide {} input and {} output channels", cg,
                      in, out);
  require<ValueError>(options.kernel[0] >= 1 && options.kernel[1] >= 1,
                      "[conv2d] the kernel must be at least 1 x 1, not {} x {}", options.kernel[0],
                      options.kernel[1]);
  const Shape shape{out, in / cg, options.kernel[0], options.kernel[1]};
  weight_ = &register_parameter("weight", init::kaiming_normal(shape, random));
  if (options.bias) bias_ = &register_parameter("bias", init::constant({out}, 0.0));
}

Variable Conv2d::forward(Variable x) { return conv2d(x, *weight_, bias_, geometry_); }

}  // namespace cograd
