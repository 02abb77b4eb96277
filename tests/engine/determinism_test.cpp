// Same seed, same bits: twice, and on one thread as on two.
#include <cstring>

#include "cograd/engine/ops/ops.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"
#include "tests/support/threads.h"

namespace cograd::testing {
namespace {

constexpr int kBatch = 16;

/// The parameters after so many steps of M3 on random images, and their last gradients.
std::vector<float> trained(const std::string& name, const Shape& image, Backend& backend,
                           int steps) {
  const auto model = make_model(name, {.image = image, .width = 4, .seed = 3});
  model->to(backend);
  MedianOfMeans m3(3);
  Sgd sgd(model->parameters(), m3, {.learning_rate = 0.05, .momentum = 0.9});
  Random random(81);
  for (int step = 0; step < steps; ++step) {
    const Tensor x = normal(image.prepended(kBatch), random, backend, Dtype::f32);
    std::vector<std::int64_t> labels;
    for (int i = 0; i < kBatch; ++i) labels.push_back(static_cast<std::int64_t>(random.below(10)));
    backward(cross_entropy((*model)(Variable(x, Groups(kBatch, 3))),
                           Tensor::from(labels, {kBatch}, backend)),
             m3);
    sgd.step();
  }
  std::vector<float> all;
  for (Parameter* p : model->parameters()) {
    for (const Tensor& t : {p->value, p->gradient}) {
      const auto values = t.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
  }
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// f() on so many OpenMP threads.
template <class F>
auto on_threads(int count, F&& f) {
  const Threads scope(count);
  return f();
}

}  // namespace

TEST_CASE("training repeats itself to the bit, on one thread as on two", "[determinism]") {
  for (Backend* backend : {&reference_backend(), &cpu_backend()}) {
    for (const auto& [name, image] :
         {std::pair<std::string, Shape>{"mlp", {1, 9, 9}}, {"resnet18_cifar", {3, 16, 16}}}) {
      CAPTURE(backend->name(), name);
      const auto run = [&, &model = name, &shape = image](int steps) {
        return [&, steps] { return trained(model, shape, *backend, steps); };
      };
      const auto once = on_threads(2, run(3));
      CHECK(same_bits(on_threads(2, run(3)), once));
      // oneDNN's convolutions share out the sums of a weight gradient by the number of threads: one
      // step differs by rounding, and from there medians and batch norm drive the runs apart.
      if (backend->name() == "onednn" && name != "mlp") {
        const auto one = on_threads(1, run(1)), two = on_threads(2, run(1));
        CHECK(relative_error({one.begin(), one.end()}, {two.begin(), two.end()}) <= 1e-5);
      } else {
        CHECK(same_bits(on_threads(1, run(3)), once));
      }
    }
  }
}

}  // namespace cograd::testing
