// Scaling, cropping, flipping and normalizing of images.
#include "data/transform.h"

#include <algorithm>
#include <cmath>

#include "data/resample.h"
#include "tests/catch.h"
#include "tests/image_samples.h"

namespace cograd::testing {
namespace {

constexpr std::array<float, 3> kOne{1, 1, 1}, kZero{0, 0, 0};
const ChannelStatistics kBytes{{0, 0, 0}, {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};  // values as bytes

Image random_image(std::int64_t height, std::int64_t width, Random& random) {
  Image image{{height, width}, {}};
  for (std::int64_t i = 0; i < 4 * height * width; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  return image;
}

/// The triangle filter as one reads it in a book, for one output.
double slow(const Image& image, double y, double x, double down, double across, std::size_t c) {
  double sum = 0.0, weights = 0.0;
  for (std::int64_t i = 0; i < image.size.height; ++i) {
    for (std::int64_t j = 0; j < image.size.width; ++j) {
      const double a = 1.0 - std::abs(static_cast<double>(i) + 0.5 - y) / std::max(1.0, down);
      const double b = 1.0 - std::abs(static_cast<double>(j) + 0.5 - x) / std::max(1.0, across);
      if (a <= 0.0 || b <= 0.0) continue;
      const auto at = static_cast<std::size_t>(4 * (i * image.size.width + j));
      sum += a * b * image.pixels[at + c];
      weights += a * b;
    }
  }
  return sum / weights;
}

}  // namespace

TEST_CASE("resampling is the triangle filter", "[images]") {
  Random random(7);
  for (const auto& [down, across] : {std::pair{1.0, 1.0}, std::pair{2.3, 0.4}, std::pair{0.7, 3.9},
                                     std::pair{1.46, 1.46}, std::pair{1.1, -1.7}}) {
    CAPTURE(down, across);
    const Image image = random_image(23, 31, random);
    const std::int64_t rows = 5, columns = 7;
    const double top = 1.3, left = across < 0 ? 20.0 : 1.8;
    std::vector<float> out(3 * rows * columns);
    resample(image, {top, down}, rows, {left, across}, columns, {2, 1, 0.5}, {0, 10, 0},
             out.data());
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        for (std::size_t c = 0; c < 3; ++c) {
          const double value =
              slow(image, top + (static_cast<double>(y) + 0.5) * down,
                   left + (static_cast<double>(x) + 0.5) * across, down, std::abs(across), c);
          const double expected = c == 0 ? 2 * value : c == 1 ? value + 10 : 0.5 * value;
          const auto at = c * 35 + static_cast<std::size_t>(y * columns + x);
          CHECK(out[at] == Approx(expected).epsilon(1e-4).margin(1e-3));
        }
      }
    }
  }
}

TEST_CASE("resampling by one copies", "[images]") {
  Random random(8);
  const Image image = random_image(6, 9, random);
  std::vector<float> out(3 * 54);
  resample(image, {0, 1}, 6, {0, 1}, 9, kOne, kZero, out.data());
  for (std::size_t i = 0; i < 54; ++i) {
    for (std::size_t c = 0; c < 3; ++c) CHECK(out[c * 54 + i] == image.pixels[4 * i + c]);
  }
  resample(image, {0, 1}, 6, {9, -1}, 9, kOne, kZero, out.data());
  CHECK(out[0] == image.pixels[4 * 8]);  // mirrored
}

TEST_CASE("the center crop lies where torchvision has it", "[images]") {
  // Shorter side 100 to 50: half the size; 120 x 100 becomes 60 x 50, of which columns 14 to 46 and
  // rows 9 to 41 remain: pixel (y, x) shows (18 + 2 y + 1, 28 + 2 x + 1) of the file.
  const auto file = make_jpeg({.width = 120, .height = 100, .quality = 100}, gradient);
  ImageTransform transform{.resize = 50, .crop = 32, .augment = false, .statistics = kBytes};
  Random none(0);
  std::vector<float> pixels(3 * 32 * 32);
  transform_image(file, "x", transform, none, pixels.data());
  double worst = 0.0;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const double red = 2 * (28 + 2 * x + 1 - 0.5), green = 2 * (18 + 2 * y + 1 - 0.5);
      const auto at = static_cast<std::size_t>(32 * y + x);
      worst = std::max({worst, std::abs(pixels[at] - red), std::abs(pixels[1024 + at] - green)});
    }
  }
  CHECK(worst < 4.0);  // a shift by a pixel would be 2 to 4 everywhere
  double mean = 0.0;
  for (int x = 0; x < 32; ++x) mean += pixels[static_cast<std::size_t>(x)] - (2 * (28 + 2 * x) + 1);
  CHECK(std::abs(mean / 32) < 0.7);

  transform = {.resize = 50, .crop = 32, .augment = false, .statistics = kImageNetStatistics};
  std::vector<float> normalized(3 * 32 * 32);
  transform_image(file, "x", transform, none, normalized.data());
  CHECK(normalized[5] == Approx((pixels[5] / 255 - 0.485) / 0.229).epsilon(1e-4));
  CHECK(normalized[2053] == Approx((pixels[2053] / 255 - 0.406) / 0.225).epsilon(1e-4));
}

TEST_CASE("random crops stay inside, differ, and are mirrored half of the time", "[images]") {
  const auto file = make_jpeg({.width = 100, .height = 90, .quality = 100}, gradient);
  const ImageTransform transform{.resize = 16, .crop = 16, .augment = true, .statistics = kBytes};
  std::vector<float> pixels(3 * 256), again(3 * 256);
  int flipped = 0;
  double least = 1e9, greatest = 0.0;
  constexpr int kDraws = 300;
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
    Random random(1, draw);
    transform_image(file, "x", transform, random, pixels.data());
    const double left = pixels[0] / 2.0, right = pixels[15] / 2.0;  // columns of the file
    const double extent = std::abs(right - left);
    flipped += left > right;
    least = std::min(least, extent);
    greatest = std::max(greatest, extent);
    for (std::size_t i = 0; i < 256; ++i) REQUIRE((pixels[i] > -4 && pixels[i] < 204));
    Random same(1, draw);
    transform_image(file, "x", transform, same, again.data());
    REQUIRE(again == pixels);
  }
  CHECK(flipped > kDraws / 2 - 50);  // 150 expected, standard deviation 9
  CHECK(flipped < kDraws / 2 + 50);
  CHECK(least > 20);     // at least sqrt(0.08 * 90 * 100 * 3/4) * 15/16 = 22
  CHECK(least < 35);     // and boxes that small occur
  CHECK(greatest > 80);  // as do large ones
}

TEST_CASE("images that are much too narrow or too small still have a crop", "[images]") {
  std::vector<float> pixels(3 * 64 * 64);
  for (const auto& [width, height] :
       {std::pair{1, 1}, std::pair{300, 2}, std::pair{2, 300}, std::pair{20, 20}}) {
    CAPTURE(width, height);
    const auto file = make_jpeg({.width = width, .height = height}, [](int, int) {
      return std::vector<std::uint8_t>{200, 100, 50};
    });
    for (const bool augment : {false, true}) {
      Random random(2);
      transform_image(file, "x",
                      {.resize = 70, .crop = 64, .augment = augment, .statistics = kBytes}, random,
                      pixels.data());
      for (std::size_t i = 0; i < 64 * 64; ++i) {
        REQUIRE(std::abs(pixels[i] - 200) < 4);
        REQUIRE(std::abs(pixels[2 * 64 * 64 + i] - 50) < 4);
      }
    }
  }
}

}  // namespace cograd::testing
