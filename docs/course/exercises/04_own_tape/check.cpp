#include "docs/course/exercises/check.h"
#include COURSE_STUDENT

namespace {

/// d of tanh(w x + b) (w x + b) x + w by w, at x = 0.7, b = -0.3.
double derivative(double w) {
  Tape tape;
  const auto x = tape.leaf(0.7), v = tape.leaf(w), b = tape.leaf(-0.3);
  const auto z = tape.add(tape.multiply(v, x), b);
  const auto y = tape.add(tape.multiply(tape.multiply(tape.tanh(z), z), x), v);
  tape.backward(y);
  return tape.nodes[v].gradient;
}

double value(double w) {
  const double z = w * 0.7 - 0.3;
  return std::tanh(z) * z * 0.7 + w;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    {
      Tape tape;
      const auto a = tape.leaf(3), b = tape.leaf(4), product = tape.multiply(a, b);
      check.near("multiply: the value of 3 * 4", tape.nodes[product].value, 12);
      tape.backward(product);
      check.near("multiply: d(a b) / da at 3, 4", tape.nodes[a].gradient, 4);
      check.near("multiply: d(a b) / db at 3, 4", tape.nodes[b].gradient, 3);
      tape.backward(product);
      check.near("the same after a second backward()", tape.nodes[a].gradient, 4, 1e-12,
                 "gradients begin at 0 each time");
    }
    {
      Tape tape;
      const auto x = tape.leaf(3), square = tape.multiply(x, x), cube = tape.multiply(square, x);
      tape.backward(square);
      check.near("d(x x) / dx at 3: one node, used twice", tape.nodes[x].gradient, 6);
      tape.backward(cube);
      check.near("d(x x x) / dx at 3", tape.nodes[x].gradient, 27);
    }
    {
      Tape tape;
      const auto x = tape.leaf(2), left = tape.add(x, x), right = tape.multiply(x, x);
      tape.backward(tape.multiply(left, right));
      check.near("d((x + x) (x x)) / dx at 2: two paths meet", tape.nodes[x].gradient, 24, 1e-12,
                 "is a node's gradient complete when it is passed on?");
    }
    {
      Tape tape;
      const auto x = tape.leaf(0.5), y = tape.tanh(x);
      check.near("tanh: the value at 0.5", tape.nodes[y].value, std::tanh(0.5));
      tape.backward(y);
      check.near("tanh: the derivative at 0.5", tape.nodes[x].gradient, 0.786447733, 1e-8);
    }
    for (const double w : {-1.0, 0.2, 1.5}) {
      check.near(fmt::format("a neuron's derivative by its weight at {}, against differences", w),
                 derivative(w), (value(w + 1e-6) - value(w - 1e-6)) / 2e-6, 1e-7);
    }
  });
}
