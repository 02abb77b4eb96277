// Own aggregators and the zoo's on the cuda backend.
#include "cograd/engine/aggregation/coordinate/coordinate_aggregator.h"
#include "tests/support/aggregation_cases.h"
#include "tests/support/cuda_device.h"

namespace cograd::testing {

TEST_CASE("coordinate-wise rules follow their definitions on cuda", "[cuda]") {
  if (Backend* cuda = device()) check_coordinate_rules(*cuda);
}

TEST_CASE("cuda sums inner products in double", "[cuda]") {
  if (Backend* cuda = device()) check_inner_products(*cuda);
}

TEST_CASE("the backward pass on cuda aggregates as defined", "[cuda]") {
  if (Backend* cuda = device()) check_backward_by_definition(*cuda, Dtype::f32, 2e-5);
}

namespace {

class OnCpusOnly final : public CoordinateRule {
 public:
  std::int64_t groups() const override { return 2; }
  void reduce(const Stack<float>&, float*) const override {}
  void reduce(const Stack<double>&, double*) const override {}
  bool reduce_on_device(const Stack<float>&, float*, void*) const override { return false; }
};

}  // namespace

TEST_CASE("a rule that was compiled for CPUs is refused by cuda", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  const CoordinateAggregator rule("first", std::make_shared<OnCpusOnly>());
  const Tensor stack = Tensor::zeros({2, 5}, Dtype::f32, *cuda);
  Tensor out = Tensor::zeros({5}, Dtype::f32, *cuda);
  CHECK_THROWS_WITH(cuda->reduce(rule.over_groups(), stack, out, nullptr),
                    "[reduce] the rule runs on CPUs only: compile it by nvcc for GPUs");
}

}  // namespace cograd::testing
