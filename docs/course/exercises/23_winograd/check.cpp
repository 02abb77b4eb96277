#include "docs/course/exercises/check.h"

#include "cograd/engine/random.h"
#include COURSE_STUDENT

namespace {

int multiplications = 0;

/// A number that counts its multiplications; divisions count as such.
struct Counted {
  double value = 0.0;
  Counted() = default;
  explicit Counted(double v) : value(v) {}
  friend Counted operator+(Counted a, Counted b) { return Counted(a.value + b.value); }
  friend Counted operator-(Counted a, Counted b) { return Counted(a.value - b.value); }
  friend Counted operator-(Counted a) { return Counted(-a.value); }
  friend Counted operator*(Counted a, Counted b) {
    ++multiplications;
    return Counted(a.value * b.value);
  }
  friend Counted operator/(Counted a, Counted b) {
    ++multiplications;
    return Counted(a.value / b.value);
  }
  Counted& operator+=(Counted b) { return *this = *this + b; }
  Counted& operator-=(Counted b) { return *this = *this - b; }
  Counted& operator*=(Counted b) { return *this = *this * b; }
};

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    cograd::Random random(3);
    std::vector<double> got, expected;
    int most = 0;
    for (int round = 0; round < 100; ++round) {
      Counted d[4], g[3], u[4], y[2];
      for (Counted& v : d) v.value = random.uniform(-1, 1);
      for (Counted& v : g) v.value = random.uniform(-1, 1);
      transform_filter(g, u);
      multiplications = 0;
      winograd(d, u, y);
      most = std::max(most, multiplications);
      for (int i = 0; i < 2; ++i) {
        got.push_back(y[i].value);
        expected.push_back(d[i].value * g[0].value + d[i + 1].value * g[1].value +
                           d[i + 2].value * g[2].value);
      }
    }
    check.all_near("outputs of 100 random filters", got, expected, 1e-12);
    check.that(most <= 4, "multiplications of winograd()",
               fmt::format("expected 4, got {}: which sums of products share a factor?", most));
  });
}
