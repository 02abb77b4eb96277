// Chooses the element type that a kernel of the reference backend runs in.
#pragma once

#include <Eigen/Core>
#include <string_view>

#include "cograd/engine/error.h"
#include "cograd/engine/tensor.h"

namespace cograd::reference {

/// Row-major [rows, columns] matrix and column vector in T, the shapes of all maps here.
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
template <class T>
using MatrixMap = Eigen::Map<Matrix<T>>;
template <class T>
using ConstMatrixMap = Eigen::Map<const Matrix<T>>;
template <class T>
using VectorMap = Eigen::Map<Vector<T>>;
template <class T>
using ConstVectorMap = Eigen::Map<const Vector<T>>;

/// Calls kernel(T{}) with T = float or double. Throws DtypeError for other types.
template <class Kernel>
auto dispatch(std::string_view name, Dtype dtype, Kernel&& kernel) {
  require<DtypeError>(dtype == Dtype::f32 || dtype == Dtype::f64,
                      "[{}] the reference backend computes in f32 and f64, not {}", name,
                      name_of(dtype));
  return dtype == Dtype::f32 ? kernel(float{}) : kernel(double{});
}

}  // namespace cograd::reference
