#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"

/// The value nearest to 0 if all have one sign, else 0.
struct Agreement {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T smallest = x[0], largest = x[0];
    for (int k = 1; k < K; ++k) {
      smallest = x[k] < smallest ? x[k] : smallest;
      largest = x[k] > largest ? x[k] : largest;
    }
    return smallest > T(0) ? smallest : largest < T(0) ? largest : T(0);
  }
};
