// The project's own headers have the names of cograd's, and do not meet them.
#include <fmt/format.h>

#include "cograd/data/data.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/tensor.h"
#include "data/data.h"
#include "engine/tensor.h"

int main() {
  const cograd::Tensor ones =
      cograd::Tensor::full({own::kRows, 3}, 1.0, cograd::Dtype::f32, cograd::cpu_backend());
  fmt::print("{} {}\n", own::kData, ones.numel());
  return 0;
}
