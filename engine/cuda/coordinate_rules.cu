// The kernels of the zoo's functors. Their loops for CPUs are compiled elsewhere: nvcc would hide
// from the host's compiler what it needs to vectorize them.
#include "cograd/engine/aggregation/coordinate/and_mask.h"
#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/aggregation/coordinate/huber_mean.h"
#include "cograd/engine/aggregation/coordinate/meamed.h"
#include "cograd/engine/aggregation/coordinate/sign_majority.h"
#include "cograd/engine/cuda/context.h"
#include "cograd/engine/cuda/coordinate_rules.h"

namespace cograd::cuda {
namespace {

template <class Functor>
bool launched(const CoordinateRule& rule, const Stack<float>& stack, float* out) {
  if (rule.functor_type() != typeid(Functor)) return false;
  coordinate_wise_detail::launch(*static_cast<const Functor*>(rule.functor()), rule.groups(), stack,
                                 out, Context::instance().compute);
  return true;
}

}  // namespace

bool reduce_by_rule(const CoordinateRule& rule, const Stack<float>& stack, float* out) {
  return launched<MeanAroundMedian>(rule, stack, out) || launched<HuberMean>(rule, stack, out) ||
         launched<AndMask>(rule, stack, out) || launched<SignMajority>(rule, stack, out) ||
         rule.reduce_on_device(stack, out, Context::instance().compute);
}

}  // namespace cograd::cuda
