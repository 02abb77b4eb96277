#include "cograd/engine/aggregation/coordinate/and_mask.h"

#include "cograd/engine/aggregation/coordinate/coordinate_wise.h"
#include "cograd/engine/error.h"

namespace cograd {
std::unique_ptr<Aggregator> and_mask(std::int64_t groups, double agreement) {
  const std::string name = fmt::format("and:{},{}", groups, agreement);
  require<ValueError>(agreement >= 0.0 && agreement <= 1.0, "[{}] agreement {}: expected 0 to 1",
                      name, agreement);
  return coordinate_wise(name, groups, AndMask{agreement});
}

}  // namespace cograd
