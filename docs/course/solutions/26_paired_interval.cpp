#include <cmath>
#include <limits>
#include <string>
#include <vector>

struct MyInterval {
  double mean, low, high;
};

/// Student's t for the 95 % interval of the mean of n values, 2 <= n <= 10.
inline double t_95(std::size_t n) {
  constexpr double kT[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  return kT[n - 2];
}

/// Of a[i] - b[i]; the ends are infinite for one seed.
inline MyInterval paired_interval(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double mean = 0.0, squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) mean += (a[i] - b[i]) / n;
  if (a.size() < 2) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return {mean, -kInfinity, kInfinity};
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double deviation = a[i] - b[i] - mean;
    squares += deviation * deviation;
  }
  const double half = t_95(a.size()) * std::sqrt(squares / (n - 1)) / std::sqrt(n);
  return {mean, mean - half, mean + half};
}

/// "holds", "undecided" or "does not hold".
inline std::string verdict(const MyInterval& interval) {
  if (interval.low > 0) return "holds";
  return interval.high < 0 ? "does not hold" : "undecided";
}
