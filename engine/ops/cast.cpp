// y = x in another type
//   dx = dy in x's type
#include "cograd/engine/ops/ops.h"

namespace cograd {

Variable cast(const Variable& x, Dtype dtype) {
  const Dtype before = x.value().dtype();
  if (dtype == before) return x;
  require<DtypeError>(x.backend().computes_in(dtype),
                      "[cast] the {} backend does not compute in {}", x.backend().name(),
                      name_of(dtype));
  return record("cast", x.backend().cast(x.value(), dtype), {x}, {},
                [before](const Tensor& dy, Backward& backward) {
                  backward.input_gradient(0, dy.backend().cast(dy, before));
                });
}

}  // namespace cograd
