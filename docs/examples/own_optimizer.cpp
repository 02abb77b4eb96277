// An optimizer: Lion. RM3, weight decay, checkpoints and the report come with the base class.
// Run: --optimizer lion --aggregator rm3@10,mean@10 --epochs 2 --train-size 600 --test-size 200
#include "cograd/experiments/study/memorization_study.h"
#include "cograd/optim/optimizer_registry.h"

using namespace cograd;

/// c = 0.9 m + 0.1 d,  p -= lr sign(c),  m = 0.99 m + 0.01 d, where d is the gradient plus weight
/// decay. Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2.
class Lion final : public Optimizer {
 public:
  Lion(std::vector<Parameter*> parameters, const Aggregator& aggregator, Numbers numbers)
      : Optimizer("lion", std::move(parameters), aggregator, numbers, {"momentum"}) {}

 private:
  void update(std::span<Update> updates, double weight_decay) override {
    const auto rate = static_cast<float>(learning_rate()), decay = static_cast<float>(weight_decay);
    for (Update& u : updates) {
      float *p = u.p.data<float>(), *m = u.state[0].data<float>(), *g = u.g.data<float>();
      for (std::int64_t i = 0; i < u.p.numel(); ++i) {
        const float d = g[i] + decay * p[i], c = 0.9f * m[i] + 0.1f * d;
        p[i] -= rate * static_cast<float>((c > 0) - (c < 0));
        m[i] = 0.99f * m[i] + 0.01f * d;
      }
    }
  }
};

int main(int argc, char** argv) {
  const auto make = [](auto parameters, const Aggregator& aggregator, const OptimizerSettings& s,
                       auto) -> std::unique_ptr<Optimizer> {
    return std::make_unique<Lion>(parameters, aggregator,
                                  Optimizer::Numbers{s.learning_rate, s.weight_decay});
  };
  register_optimizer({.name = "lion", .numbers = "", .make = make, .usual_learning_rate = 3e-4});
  return label_noise_study(argc, argv);
}
