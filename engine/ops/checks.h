// Checks that several ops make on their arguments.
#pragma once

#include <string_view>

#include "cograd/engine/autograd.h"

namespace cograd {

/// Throws ShapeError unless `x` has `rank` axes; `axes` names them ("[N, C, H, W]").
inline void require_rank(std::string_view op, const Variable& x, int rank, std::string_view axes) {
  require<ShapeError>(x.shape().rank() == rank, "[{}] the input must be {}, not {}", op, axes,
                      x.shape());
}

/// Throws ShapeError, DtypeError or DeviceError unless `p` is of `shape` and fits to `x`.
inline void require_parameter(std::string_view op, std::string_view role, const Variable& x,
                              const Parameter& p, const Shape& shape) {
  require<ShapeError>(p.value.shape() == shape, "[{}] {} {} must be {}, not {}, for an input of {}",
                      op, role, p.name, shape, p.value.shape(), x.shape());
  require<DtypeError>(p.value.dtype() == parameter_dtype(x.value().dtype()),
                      "[{}] {} {} is {}, but the input is {}", op, role, p.name,
                      name_of(p.value.dtype()), name_of(x.value().dtype()));
  require<DeviceError>(&p.value.backend() == &x.backend(),
                       "[{}] {} {} is on {}, but the input is on {}", op, role, p.name,
                       p.value.backend().name(), x.backend().name());
}

/// Throws unless `b` has the dtype and backend of `a`.
inline void require_alike(std::string_view op, const Variable& a, const Variable& b) {
  require<DtypeError>(a.value().dtype() == b.value().dtype(), "[{}] the inputs are {} and {}", op,
                      name_of(a.value().dtype()), name_of(b.value().dtype()));
  require<DeviceError>(&a.backend() == &b.backend(), "[{}] the inputs are on {} and {}", op,
                       a.backend().name(), b.backend().name());
}

}  // namespace cograd
