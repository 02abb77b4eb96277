#include "cograd/engine/aggregation/coordinate/sum_of_squares.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"

namespace cograd {
namespace {

struct SumOfSquares {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T sum = T(0);
    for (int k = 0; k < K; ++k) sum += x[k] * x[k];
    return sum;
  }
};

}  // namespace

Reduction sum_of_squares(std::int64_t groups) {
  return coordinate_wise("sum of squares", groups, SumOfSquares{})->over_groups();
}

}  // namespace cograd
