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
  double mean = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) mean += (a[i] - b[i]) / static_cast<double>(a.size());
  return {mean, mean, mean};  // yours: the ends
}

/// "holds", "undecided" or "does not hold".
inline std::string verdict(const MyInterval& interval) {
  return interval.mean > 0 ? "holds" : "does not hold";  // yours
}
