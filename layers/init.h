// Initial values of parameters. All draw on the host, in row-major order, from the Random they are
// given, so the same seed gives the same weights on every backend.
#pragma once

#include "engine/random.h"
#include "engine/tensor.h"

namespace cograd::init {

/// Inputs and outputs per unit of a linear [O, I] or convolution weight [O, I/cg, kh, kw]:
/// fan_in = I/cg kh kw, fan_out = O kh kw.
struct Fan {
  double in, out;
};
Fan fan_of(const Shape& weight);

/// f32 on the reference backend, like all results here.
Tensor constant(const Shape& shape, double value);
Tensor normal(const Shape& shape, double standard_deviation, Random& random);
Tensor uniform(const Shape& shape, double bound, Random& random);

/// Normal with variance 2 / fan_out: convolutions of torchvision's ResNet and VGG.
/// He et al., "Delving Deep into Rectifiers", ICCV 2015.
Tensor kaiming_normal(const Shape& weight, Random& random);
/// Uniform in +-1 / sqrt(fan_in): what PyTorch gives Linear and Conv2d, weights and biases, where
/// a model says nothing else.
Tensor kaiming_uniform(const Shape& shape, double fan_in, Random& random);
/// Normal with variance 2 / (fan_in + fan_out). Glorot and Bengio, AISTATS 2010.
Tensor xavier_normal(const Shape& weight, Random& random);
/// Uniform with that variance.
Tensor xavier_uniform(const Shape& weight, Random& random);

}  // namespace cograd::init
