// Scaling, cropping, flipping and normalizing of images.
#include "cograd/data/transform.h"

#include <algorithm>
#include <cmath>

#include "cograd/data/resample.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"

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
  for (const bool mirrored : {false, true}) {
    const ResampleAxis across = mirrored ? ResampleAxis{9, -1} : ResampleAxis{0, 1};
    resample(image, {0, 1}, 6, across, 9, kOne, kZero, out.data());
    for (std::size_t i = 0; i < 54; ++i) {
      const std::size_t from = mirrored ? i / 9 * 9 + 8 - i % 9 : i;
      for (std::size_t c = 0; c < 3; ++c) CHECK(out[c * 54 + i] == image.pixels[4 * from + c]);
    }
  }
}

TEST_CASE("resampling whole images of any size to any other", "[images]") {
  Random random(9);
  const auto extent = [&] { return 1 + static_cast<std::int64_t>(random.below(40)); };
  for (int round = 0; round < 40; ++round) {
    const std::int64_t height = extent(), width = extent(), rows = extent(), columns = extent();
    CAPTURE(height, width, rows, columns);
    Image image = random_image(height, width, random);
    const double down = static_cast<double>(height) / static_cast<double>(rows);
    const double across = static_cast<double>(width) / static_cast<double>(columns);
    const bool mirrored = round % 2 == 1;
    const ResampleAxis horizontal =
        mirrored ? ResampleAxis{static_cast<double>(width), -across} : ResampleAxis{0, across};
    std::vector<float> out(static_cast<std::size_t>(3 * rows * columns));
    resample(image, {0, down}, rows, horizontal, columns, kOne, kZero, out.data());
    double worst = 0.0;
    for (std::int64_t y = 0; y < rows; ++y) {
      for (std::int64_t x = 0; x < columns; ++x) {
        const std::int64_t seen = mirrored ? columns - 1 - x : x;
        const double expected = slow(image, (static_cast<double>(y) + 0.5) * down,
                                     (static_cast<double>(seen) + 0.5) * across, down, across, 1);
        const auto at = static_cast<std::size_t>((rows + y) * columns + x);
        worst = std::max(worst, std::abs(out[at] - expected));
      }
    }
    CHECK(worst < 2e-3);
    std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{201});
    resample(image, {0, down}, rows, horizontal, columns, kOne, kZero, out.data());
    for (const float value : out) REQUIRE(value == Approx(201).epsilon(1e-6));
  }
}

TEST_CASE("the center crop lies where torchvision has it", "[images]") {
  // Width and height become scaled_*, of which a square from (top, left) on remains.
  struct Case {
    int width, height;
    ImageTransform transform;
    int scaled_width, scaled_height, left, top;
  };
  const ImageTransform imagenet = imagenet_transform(224, false);
  for (Case c : {Case{120, 100, {.resize = 50, .crop = 32}, 60, 50, 14, 9},
                 Case{500, 375, imagenet, 341, 256, 58, 16},  // 58.5 to the even number
                 Case{375, 500, imagenet, 256, 341, 16, 58},  // 500 * 256 / 375 = 341.3
                 Case{1000, 750, imagenet, 341, 256, 58, 16}}) {
    CAPTURE(c.width, c.height);
    c.transform.statistics = kBytes;
    const auto file =
        make_jpeg({.width = c.width, .height = c.height, .quality = 100}, ramp(c.width, c.height));
    const std::int64_t n = c.transform.crop;
    std::vector<float> pixels(static_cast<std::size_t>(3 * n * n));
    Random none(0);
    transform_image(file, "x", c.transform, none, pixels.data());
    const auto value = [](double pixel, int scaled, int extent) {
      return 255.0 * ((pixel + 0.5) * extent / scaled - 0.5) / (extent - 1);
    };
    double worst = 0.0, red = 0.0, green = 0.0;
    for (std::int64_t y = 0; y < n; ++y) {
      for (std::int64_t x = 0; x < n; ++x) {
        const auto at = static_cast<std::size_t>(n * y + x);
        const double a =
            pixels[at] - value(static_cast<double>(c.left + x), c.scaled_width, c.width);
        const double b = pixels[at + static_cast<std::size_t>(n * n)] -
                         value(static_cast<double>(c.top + y), c.scaled_height, c.height);
        worst = std::max({worst, std::abs(a), std::abs(b)});
        red += a / static_cast<double>(n * n);
        green += b / static_cast<double>(n * n);
      }
    }
    CHECK(worst < 4.0);
    // A pixel of the result is 0.7 or more; it is not off by half of one.
    CHECK(std::abs(red) < 0.2);
    CHECK(std::abs(green) < 0.2);
    CHECK(none.position() == 0);

    c.transform.statistics = kImageNetStatistics;
    std::vector<float> normalized(pixels.size());
    transform_image(file, "x", c.transform, none, normalized.data());
    const auto blue = static_cast<std::size_t>(2 * n * n) + 5;
    CHECK(normalized[5] == Approx((pixels[5] / 255 - 0.485) / 0.229).epsilon(1e-4).margin(1e-5));
    CHECK(normalized[blue] == Approx((pixels[blue] / 255 - 0.406) / 0.225).epsilon(1e-4));
  }
}

TEST_CASE("every image becomes the triangle filter of all its pixels", "[images]") {
  // Content that scaling in the DCT would smear: sharp edges of colors, and sizes that end within a
  // block. At every subsampling, since that is a kind of scaling, too.
  const Painter edges = [](int y, int x) -> std::vector<std::uint8_t> {
    const bool odd = (x / 3 + y / 5) % 2 == 1;
    return {static_cast<std::uint8_t>(odd ? 250 : 10), static_cast<std::uint8_t>(x * y % 256),
            static_cast<std::uint8_t>(x % 2 == 1 ? 255 : 0)};
  };
  for (const auto& [across, down] : {std::pair{1, 1}, std::pair{2, 1}, std::pair{2, 2},
                                     std::pair{1, 2}, std::pair{4, 1}, std::pair{4, 2}}) {
    for (const auto& [width, height] :
         {std::pair{1, 1}, std::pair{17, 33}, std::pair{131, 90}, std::pair{200, 301}}) {
      CAPTURE(across, down, width, height);
      const auto file =
          make_jpeg({.width = width, .height = height, .across = across, .down = down}, edges);
      const Image whole = decode_image(file, "x");
      REQUIRE(whole.size == ImageSize{height, width});
      constexpr std::int64_t kCrop = 12;
      const ImageTransform transform{.resize = 14, .crop = kCrop, .statistics = kBytes};
      std::vector<float> pixels(3 * kCrop * kCrop);
      Random none(0);
      transform_image(file, "x", transform, none, pixels.data());
      const std::int64_t shorter = std::min(width, height);
      const std::int64_t scaled_width = 14 * width / shorter, scaled_height = 14 * height / shorter;
      const double right = double(width) / double(scaled_width);
      const double down_step = double(height) / double(scaled_height);
      double worst = 0.0;
      for (const std::int64_t i : {0, 3, 5, 8, 11}) {
        for (const std::int64_t j : {0, 4, 7, 11}) {
          const auto place = [](std::int64_t at, std::int64_t scaled, double step) {
            return (std::nearbyint(double(scaled - kCrop) / 2) + double(at) + 0.5) * step;
          };
          const double expected = slow(whole, place(i, scaled_height, down_step),
                                       place(j, scaled_width, right), down_step, right, 0);
          const auto at = static_cast<std::size_t>(i * kCrop + j);
          worst = std::max(worst, std::abs(pixels[at] - expected));
        }
      }
      CHECK(worst < 2e-3);
    }
  }
}

TEST_CASE("nothing shows that lies beyond an image's edge", "[images]") {
  // The last blocks hold white, of which the size that the header tells cuts off all.
  constexpr int kExtent = 75;
  for (const auto& [across, down] :
       {std::pair{1, 1}, std::pair{2, 1}, std::pair{1, 2}, std::pair{4, 1}}) {
    const auto whole_blocks = [](int samples) {
      return (kExtent + 8 * samples - 1) / (8 * samples) * 8 * samples;
    };
    auto file =
        make_jpeg({.width = whole_blocks(across),
                   .height = whole_blocks(down),
                   .quality = 100,
                   .across = across,
                   .down = down},
                  [](int y, int x) {
                    return std::vector<std::uint8_t>(3, x < kExtent && y < kExtent ? 60 : 255);
                  });
    const std::size_t frame = marker_at(file, 0xC0);
    file[frame + 6] = file[frame + 8] = kExtent;
    for (const std::int64_t size : {4, 8, 32}) {
      for (const bool augment : {false, true}) {
        CAPTURE(across, down, size, augment);
        std::vector<float> pixels(static_cast<std::size_t>(3 * size * size));
        Random random(4);
        transform_image(file, "x",
                        {.resize = size, .crop = size, .augment = augment, .statistics = kBytes},
                        random, pixels.data());
        const auto [least, most] = std::minmax_element(pixels.begin(), pixels.end());
        CHECK((*least > 57 && *most < 63));
      }
    }
  }
}

TEST_CASE("a random crop is cut out before it is scaled", "[images]") {
  // Of 2000 x 10 pixels no random box fits; columns 993 to 1005 are taken.
  const auto file = make_png({.width = 2000, .height = 10}, [](int, int x) {
    return std::vector<std::uint8_t>(3, x >= 993 && x < 1006 ? 60 : 255);
  });
  const ImageTransform transform{.resize = 4, .crop = 4, .augment = true, .statistics = kBytes};
  std::vector<float> pixels(3 * 16);
  Random random(5);
  transform_image(file, "x", transform, random, pixels.data());
  for (const float pixel : pixels) CHECK(pixel == Approx(60).epsilon(1e-5));
}

TEST_CASE("random crops stay inside, differ, and are mirrored half of the time", "[images]") {
  constexpr int kWidth = 100, kHeight = 90, kDraws = 300;
  const auto file =
      make_jpeg({.width = kWidth, .height = kHeight, .quality = 100}, ramp(kWidth, kHeight));
  const ImageTransform transform{.resize = 16, .crop = 16, .augment = true, .statistics = kBytes};
  std::vector<float> pixels(3 * 256), again(3 * 256);
  int flipped = 0;
  double smallest = 1.0, largest = 0.0, narrowest = 2.0, widest = 0.0;
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
    Random random(1, draw);
    transform_image(file, "x", transform, random, pixels.data());
    // The box, from the middles of its pixels in the corners.
    const double width = (pixels[15] - pixels[0]) / 255.0 * (kWidth - 1) * 16 / 15;
    const double height = (pixels[256 + 240] - pixels[256]) / 255.0 * (kHeight - 1) * 16 / 15;
    flipped += width < 0;
    REQUIRE(height > 0);
    const double area = std::abs(width) * height / (kWidth * kHeight);
    const double ratio = std::abs(width) / height;
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    narrowest = std::min(narrowest, ratio);
    widest = std::max(widest, ratio);
    for (std::size_t i = 0; i < 512; ++i) REQUIRE((pixels[i] > -2 && pixels[i] < 257));
    Random same(1, draw);
    transform_image(file, "x", transform, same, again.data());
    REQUIRE(again == pixels);
  }
  CHECK(flipped > kDraws / 2 - 50);  // 150 expected, standard deviation 9
  CHECK(flipped < kDraws / 2 + 50);
  // All of what is allowed, and no more than that and a rounded pixel.
  CHECK((smallest > 0.07 && smallest < 0.12));
  CHECK((largest > 0.85 && largest < 1.02));
  CHECK((narrowest > 0.70 && narrowest < 0.79));
  CHECK((widest > 1.27 && widest < 1.43));
}

TEST_CASE("where no random box fits, the largest one in the center is taken", "[images]") {
  // Columns 993 to 1005, in the middle of a slope that begins at column 980.
  const auto file = make_jpeg({.width = 2000, .height = 10, .quality = 100}, [](int, int x) {
    const auto level = static_cast<std::uint8_t>(std::clamp(6 * (x - 980), 0, 255));
    return std::vector<std::uint8_t>(3, level);
  });
  const ImageTransform transform{.resize = 8, .crop = 8, .augment = true, .statistics = kBytes};
  std::vector<float> pixels(3 * 64);
  int flipped = 0;
  for (std::uint64_t draw = 0; draw < 10; ++draw) {
    Random random(5, draw);
    transform_image(file, "x", transform, random, pixels.data());
    const bool mirrored = pixels[0] > pixels[7];
    flipped += mirrored;
    for (std::size_t i = 0; i < 64; ++i) {
      const double x = static_cast<double>(mirrored ? 7 - i % 8 : i % 8);
      const double column = 993 + (x + 0.5) * 13 / 8 - 0.5;
      REQUIRE(std::abs(pixels[i] - 6 * (column - 980)) < 3);
    }
  }
  CHECK((flipped > 0 && flipped < 10));
}

TEST_CASE("images that are much too narrow or too small still have a crop", "[images]") {
  std::vector<float> pixels(3 * 64 * 64);
  for (const auto& [width, height] :
       {std::pair{1, 1}, std::pair{300, 2}, std::pair{2, 300}, std::pair{20, 20}}) {
    CAPTURE(width, height);
    const auto file = make_jpeg({.width = width, .height = height}, solid({200, 100, 50}));
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
