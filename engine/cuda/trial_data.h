// Numbers to try algorithms on, and what two of them made of the same ones.
#pragma once

#include "cograd/engine/tensor.h"

namespace cograd::cuda {

/// x[i] uniform in [-1, 1), the same for the same seed; f32 or bf16.
void fill_with_trial_data(Tensor& x, std::uint32_t seed);

/// The largest |x[i] - expected[i]|, in root mean squares of `expected`; infinite where one is not
/// finite. Waits for the device.
double largest_difference(const Tensor& x, const Tensor& expected);

}  // namespace cograd::cuda
