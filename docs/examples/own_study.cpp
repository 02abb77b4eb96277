// A study with a data set, a model and a schedule from this file: two moons, half of whose labels
// are random.
// Run: --dataset moons --model narrow --schedule inverse:0.5 --aggregator mean@10,m3@30 --epochs 8
#include <cmath>

#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/study/datasets.h"
#include "cograd/experiments/study/memorization_study.h"
#include "cograd/layers/linear.h"
#include "cograd/models/registry.h"
#include "cograd/optim/schedule.h"

using namespace cograd;

/// Points of two half circles, as images [1, 1, 2].
struct Moons final : Dataset {
  Moons(Split s, std::uint64_t seed) : split(s), random(seed, s == Split::train ? 0 : 1) {}
  std::int64_t size() const override { return split == Split::train ? 600 : 200; }
  std::int64_t classes() const override { return 2; }
  Shape image_shape() const override { return {1, 1, 2}; }
  std::string name() const override { return split == Split::train ? "moons" : "moons test"; }
  std::int64_t label(std::int64_t i) const override { return i % 2; }
  void read(std::int64_t i, std::int64_t, float* x) const override {
    const float angle = 0x1p-32f * 3.14f * random.at(i), side = i % 2 == 0 ? 3.0f : -3.0f;
    x[0] = side * std::cos(angle) + 1.5f * (i % 2);
    x[1] = side * std::sin(angle) + 0.75f * (i % 2);
  }
  Split split;
  Random random;
};

struct Narrow final : Module {
  Narrow(const ModelOptions& o, Random& random) {
    first = register_module("fc1", std::make_shared<Linear>(o.image.numel(), o.width, random));
    last = register_module("fc2", std::make_shared<Linear>(o.width, o.classes, random));
  }
  Variable forward(Variable x) override { return (*last)(relu((*first)(flatten(x)))); }
  std::shared_ptr<Linear> first, last;
};

/// base / (1 + a epoch)
struct Inverse final : Schedule {
  Inverse(double base_, double a_) : base(base_), a(a_) {}
  double rate(double epoch) const override { return base / (1.0 + a * std::floor(epoch)); }
  double base, a;
};

int main(int argc, char** argv) {
  register_dataset("moons", [](Split split, const auto&, std::uint64_t seed) {
    return std::make_shared<Moons>(split, seed);
  });
  const auto model = [](const auto& o, Random& r) { return std::make_unique<Narrow>(o, r); };
  register_model({.name = "narrow", .make = model, .usual_width = 64});
  const auto inverse = [](double base, auto, auto n) {
    return std::make_unique<Inverse>(base, n[0]);
  };
  register_schedule({.name = "inverse", .numbers = "A", .make = inverse});
  return label_noise_study(argc, argv);
}
