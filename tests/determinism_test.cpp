// Same seed, same bits: twice, and on one thread as on two.
#include <cstring>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "engine/ops/ops.h"
#include "models/registry.h"
#include "optim/sgd.h"
#include "tests/catch.h"
#include "tests/gradient_check.h"

namespace cograd::testing {
namespace {

/// The parameters after 12 steps of M3 on random images.
std::vector<float> trained(const std::string& name, const Shape& image, Backend& backend) {
  const auto model = make_model(name, {.image = image, .width = 8, .seed = 3});
  model->to(backend);
  MedianOfMeans m3(3);
  Sgd sgd(model->parameters(), m3, {.learning_rate = 0.05, .momentum = 0.9});
  Random random(81);
  for (int step = 0; step < 12; ++step) {
    const Tensor x = normal(image.prepended(10), random, backend, Dtype::f32);
    std::vector<std::int64_t> labels;
    for (int i = 0; i < 10; ++i) labels.push_back(static_cast<std::int64_t>(random.below(10)));
    backward(
        cross_entropy((*model)(Variable(x, Groups(10, 3))), Tensor::from(labels, {10}, backend)),
        m3);
    sgd.step();
  }
  std::vector<float> all;
  for (Parameter* p : model->parameters()) {
    const auto values = p->value.to_vector<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Runs f() on so many OpenMP threads.
template <class F>
auto on_threads(int count, F&& f) {
#ifdef _OPENMP
  const int before = omp_get_max_threads();
  omp_set_num_threads(count);
  auto result = f();
  omp_set_num_threads(before);
  return result;
#else
  static_cast<void>(count);
  return f();
#endif
}

}  // namespace

TEST_CASE("training repeats itself to the bit, on one thread as on two", "[determinism]") {
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    for (const auto& [name, image] :
         {std::pair<std::string, Shape>{"mlp", {1, 9, 9}}, {"resnet18_cifar", {3, 8, 8}}}) {
      CAPTURE(backend->name(), name);
      const auto run = [&, &model = name, &shape = image] {
        return trained(model, shape, *backend);
      };
      const auto once = on_threads(2, run);
      CHECK(same_bits(on_threads(2, run), once));
      const auto alone = on_threads(1, run);
      // oneDNN's convolutions share out the sums of a weight gradient by the number of threads.
      if (backend->name() == "onednn" && name != "mlp") {
        const std::vector<double> a(alone.begin(), alone.end()), b(once.begin(), once.end());
        CHECK(relative_error(a, b) <= 1e-4);
      } else {
        CHECK(same_bits(alone, once));
      }
    }
  }
}

}  // namespace cograd::testing
