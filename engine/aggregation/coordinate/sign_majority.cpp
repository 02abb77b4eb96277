#include "cograd/engine/aggregation/coordinate/sign_majority.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

struct SignMajority {
  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T votes = T(0);
    for (int k = 0; k < K; ++k) votes += (x[k] > T(0) ? T(1) : T(0)) - (x[k] < T(0) ? T(1) : T(0));
    return (votes > T(0) ? T(1) : T(0)) - (votes < T(0) ? T(1) : T(0));
  }
};

}  // namespace

std::unique_ptr<Aggregator> sign_majority(std::int64_t groups) {
  return coordinate_wise(fmt::format("signs:{}", groups), groups, SignMajority{});
}

}  // namespace cograd
