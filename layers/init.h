// Initial values of parameters. They are drawn on the host, in row-major order, so that the same
// seed gives the same weights on every backend.
#pragma once

#include "cograd/engine/random.h"
#include "cograd/engine/tensor.h"

namespace cograd::init {

/// Inputs and outputs per unit of a linear [O, I] or convolution weight [O, I/cg, kh, kw]:
/// fan_in = I/cg kh kw, fan_out = O kh kw.
struct Fan {
  double in, out;
};
Fan fan_of(const Shape& weight);

/// All results are f32 on the reference backend.
Tensor constant(const Shape& shape, double value);
Tensor normal(const Shape& shape, double std, Random& random);
Tensor uniform(const Shape& shape, double bound, Random& random);

/// Normal with variance 2 / fan_out: convolutions of torchvision's ResNet and VGG.
/// He et al., "Delving Deep into Rectifiers", ICCV 2015.
Tensor kaiming_normal(const Shape& weight, Random& random);
/// Uniform in +-1 / sqrt(fan_in): PyTorch's default for weights and biases of Linear and Conv2d.
Tensor kaiming_uniform(const Shape& shape, double fan_in, Random& random);
/// Normal with variance gain^2 2 / (fan_in + fan_out). Glorot and Bengio, AISTATS 2010.
Tensor xavier_normal(const Shape& weight, Random& random, double gain = 1.0);
/// Uniform with variance 2 / (fan_in + fan_out).
Tensor xavier_uniform(const Shape& weight, Random& random);

}  // namespace cograd::init
