#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"

/// The value nearest to 0 if all have one sign, else 0.
struct Agreement {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T sum = T(0);  // yours: this is the mean
    for (int k = 0; k < K; ++k) sum += x[k];
    return sum / T(K);
  }
};
