#include "docs/course/exercises/check.h"

#include <numeric>

#include "cograd/engine/aggregation/gram/geometric_median.h"
#include "cograd/engine/autograd.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/random.h"
#include COURSE_STUDENT

namespace {

using namespace cograd;

std::vector<double> weights(std::int64_t k, const std::vector<double>& gradients) {
  return MyGeometricMedian(k).weights(GramMatrix::of(k, gradients));
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    const auto far = weights(3, {1, 0, 0, 1, 1000, 1000});
    check.near("the weights of (1, 0), (0, 1), (1000, 1000) add up to",
               std::accumulate(far.begin(), far.end(), 0.0), 1.0);
    check.that(far[2] < 0.01, "the weight of (1000, 1000)",
               fmt::format("expected less than 0.01, got {:.3g}", far[2]));
    check.all_near("the corners of a square", weights(4, {1, 1, 1, -1, -1, 1, -1, -1}),
                   std::vector<double>{0.25, 0.25, 0.25, 0.25});
    check.all_near("of 1, 2, 10 the middle one", weights(3, {1, 2, 10}),
                   std::vector<double>{0, 1, 0}, 1e-3);

    Random random(5);
    std::vector<double> gradients;
    for (int i = 0; i < 5 * 20; ++i) gradients.push_back(random.normal());
    check.all_near("weights of five random gradients, beside the library's geomed:5",
                   weights(5, gradients), GeometricMedian(5).weights(GramMatrix::of(5, gradients)),
                   1e-4);

    // Three groups of one row each; of the rows 1, 2, 10 the median takes the second.
    Parameter w{"w", Tensor::zeros({2, 1}, Dtype::f32, cpu_backend()), {}, {}};
    const Variable x(Tensor::from(std::vector<float>{1, 2, 10}, {3, 1}, cpu_backend()),
                     Groups(3, 3));
    const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 1, 1}, {3}, cpu_backend());
    backward(cross_entropy(linear(x, w, nullptr), labels), MyGeometricMedian(3));
    check.near("a gradient in the backward pass", w.gradient.to_vector<float>()[0], 1.0, 1e-2);
  });
}
