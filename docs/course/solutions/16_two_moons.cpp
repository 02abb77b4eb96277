#include <cmath>
#include <numbers>
#include <string>

#include "cograd/data/dataset.h"
#include "cograd/engine/random.h"

using namespace cograd;

class TwoMoons final : public Dataset {
 public:
  TwoMoons(std::int64_t size, double noise, std::uint64_t seed)
      : size_(size), noise_(noise), seed_(seed) {}

  std::int64_t size() const override { return size_; }
  std::int64_t classes() const override { return 2; }
  Shape image_shape() const override { return {1, 1, 2}; }
  std::string name() const override { return "two moons"; }
  std::int64_t label(std::int64_t index) const override {
    require<ValueError>(index >= 0 && index < size_, "[two moons] no example {} of {}", index,
                        size_);
    return index % 2;
  }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    const bool second = label(index) == 1;
    Random random(seed_, static_cast<std::uint64_t>(index));
    const double t = random.uniform(0.0, std::numbers::pi);
    const double x = second ? 1.0 - std::cos(t) : std::cos(t);
    const double y = second ? 0.5 - std::sin(t) : std::sin(t);
    pixels[0] = static_cast<float>(x + noise_ * random.normal());
    pixels[1] = static_cast<float>(y + noise_ * random.normal());
  }

 private:
  std::int64_t size_;
  double noise_;
  std::uint64_t seed_;
};
