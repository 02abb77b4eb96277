#include "cograd/engine/aggregation/coordinate/and_mask.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

struct AndMask {
  double agreement;

  template <class T, int K>
  COGRAD_HOST_DEVICE T operator()(T (&x)[K]) const {
    T sum = T(0), signs = T(0);
    for (int k = 0; k < K; ++k) {
      sum += x[k];
      signs += (x[k] > T(0) ? T(1) : T(0)) - (x[k] < T(0) ? T(1) : T(0));
    }
    const T votes = signs < T(0) ? -signs : signs;
    return votes >= T(agreement * K) ? sum / T(K) : T(0);
  }
};

}  // namespace

std::unique_ptr<Aggregator> and_mask(std::int64_t groups, double agreement) {
  const std::string name = fmt::format("and:{},{}", groups, agreement);
  require<ValueError>(agreement >= 0.0 && agreement <= 1.0, "[{}] agreement {}: expected 0 to 1",
                      name, agreement);
  return coordinate_wise(name, groups, AndMask{agreement});
}

}  // namespace cograd
