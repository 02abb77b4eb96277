#include "docs/course/exercises/check.h"

#include "cograd/data/data.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/models/mlp.h"
#include "cograd/optim/sgd.h"
#include COURSE_STUDENT

namespace {

void on_half_circles(course::Check& check) {
  const TwoMoons clean(200, 0.0, 1);
  double worst = 0.0, left = 0.0, right = 0.0;
  for (std::int64_t i = 0; i < clean.size(); ++i) {
    const Example e = clean.get(i);
    const double centre = i % 2 == 0 ? 0.0 : 1.0, height = i % 2 == 0 ? 0.0 : 0.5;
    const double x = e.pixels[0] - centre, y = (e.pixels[1] - height) * (i % 2 == 0 ? 1 : -1);
    worst = std::max({worst, std::abs(x * x + y * y - 1.0), -y});
    (x < 0 ? left : right) += 1;
  }
  check.near("largest distance from the half circles without noise", worst, 0.0, 1e-5);
  check.that(std::abs(left - right) < 60, "points lie all along the half circles",
             fmt::format("{} lie in their left halves, {} in their right ones", left, right));
}

double test_accuracy() {
  Loader loader(std::make_shared<TwoMoons>(600, 0.15, 1),
                {.batch_size = 30, .seed = 1, .workers = 0}, cpu_backend());
  Random random(1);
  Mlp model({2, 32, 32, 2}, random);
  model.to(cpu_backend());
  const Mean mean;
  Sgd sgd(model.parameters(), mean, {.learning_rate = 0.3});
  for (int epoch = 0; epoch < 30; ++epoch) {
    loader.start_epoch(epoch);
    while (auto batch = loader.next()) {
      backward(cross_entropy(model(Variable(batch->images)), batch->labels), mean);
      sgd.step();
    }
  }
  const NoGradient guard;
  const TwoMoons test(400, 0.15, 2);
  int right = 0;
  for (std::int64_t i = 0; i < test.size(); ++i) {
    const Tensor x = Tensor::from(test.get(i).pixels, {1, 1, 1, 2}, cpu_backend());
    const auto y = model(Variable(x)).value().to_vector<float>();
    right += (y[1] > y[0] ? 1 : 0) == i % 2 ? 1 : 0;
  }
  return right / 400.0;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    const TwoMoons moons(10, 0.1, 7);
    check.equal("labels of examples 4 and 7", std::vector{moons.label(4), moons.label(7)},
                std::vector<std::int64_t>{0, 1});
    on_half_circles(check);
    const auto first = moons.get(3).pixels;
    moons.get(5);
    check.equal("example 3, read again after example 5", moons.get(3).pixels, first);
    check.that(moons.get(3, 1).pixels == first, "example 3 in another epoch", "it changed");
    check.that(moons.get(3).pixels != moons.get(5).pixels, "examples 3 and 5 differ",
               "they are the same");
    check.that(TwoMoons(10, 0.1, 8).get(3).pixels != first, "another seed gives other points",
               "they are the same");
    for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{10}}) {
      bool thrown = false;
      try {
        moons.label(index);
      } catch (const ValueError&) {
        thrown = true;
      }
      check.that(thrown, fmt::format("label({}) of 10 examples", index), "expected a ValueError");
    }
    const double accuracy = test_accuracy();
    check.that(accuracy > 0.93, "a network of 2 - 32 - 32 - 2 learns them",
               fmt::format("expected more than 93 % of 400 new points right, got {:.1f} %",
                           100 * accuracy));
  });
}
