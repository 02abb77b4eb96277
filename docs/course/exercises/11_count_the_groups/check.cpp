#include "docs/course/exercises/check.h"

#include "cograd/engine/groups.h"
#include "cograd/engine/random.h"
#include "cograd/models/mlp.h"

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    using namespace cograd;
    const Groups groups(10, 3);
    const char* split = "10 = 4 + 3 + 3";
    answers.number("size of group 0", static_cast<double>(groups.size(0)),
                   "when K does not divide B, the first B mod K groups hold one example more");
    answers.number("size of group 2", static_cast<double>(groups.size(2)), split);
    answers.number("group of row 7", static_cast<double>(groups.group_of(7)), split);
    answers.number("first row of group 1", static_cast<double>(groups.range(1).begin), split);

    Random random(1);
    Mlp model({784, 256, 256, 10}, random);
    double largest = 0.0, all = 0.0;
    for (const Parameter* p : model.parameters()) {
      const auto n = static_cast<double>(p->value.numel());
      largest = std::max(largest, n);
      all += n;
    }
    const auto exact = [&](const std::string& question, double right, const char* hint) {
      answers.number(question, right, hint, 1e-9);
    };
    exact("m3 one layer at a time", 3 * largest, "K times the largest weight, 784 x 256");
    exact("m3 all layers", 3 * all, "K times the number of parameters, biases included");
    exact("per-example gradients of a batch of 100, one layer at a time", 100 * largest,
          "per-example gradients are K = B");
    exact("per-example gradients of a batch of 100, all layers", 100 * all,
          "per-example gradients are K = B");
  });
}
