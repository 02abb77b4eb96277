// JPEG and PNG files: colors, scales, regions, and files that are broken.
#include "data/image_file.h"

#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "engine/error.h"
#include "engine/random.h"
#include "tests/catch.h"
#include "tests/image_samples.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

Painter solid(Bytes pixel) {
  return [pixel](int, int) { return pixel; };
}

/// The pixel in the middle.
std::array<int, 3> middle(const Image& image) {
  const std::int64_t at = 4 * (image.size.height / 2 * image.size.width + image.size.width / 2);
  const std::uint8_t* p = image.pixels.data() + at;
  return {p[0], p[1], p[2]};
}

void check_color(const Image& image, std::array<int, 3> expected, int tolerance = 4) {
  const auto found = middle(image);
  for (std::size_t c = 0; c < 3; ++c) {
    CAPTURE(c, found, expected);
    CHECK(std::abs(found[c] - expected[c]) <= tolerance);
  }
}

/// A PNG of 6 x 5 pixels in any of libpng's simple formats; `pixel` is in that format.
Bytes make_png(std::uint32_t format, const Bytes& pixel, const Bytes& colormap = {}) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = 6;
  png.height = 5;
  png.format = format;
  png.colormap_entries = static_cast<png_uint_32>(colormap.size() / 3);
  Bytes pixels;
  for (int i = 0; i < 30; ++i) pixels.insert(pixels.end(), pixel.begin(), pixel.end());
  png_alloc_size_t size = 0;
  const void* map = colormap.empty() ? nullptr : colormap.data();
  REQUIRE(png_image_write_to_memory(&png, nullptr, &size, 0, pixels.data(), 0, map));
  Bytes file(size);
  REQUIRE(png_image_write_to_memory(&png, file.data(), &size, 0, pixels.data(), 0, map));
  return file;
}

}  // namespace

TEST_CASE("JPEGs of every color space have the right colors", "[images]") {
  const std::array<int, 3> orange{230, 120, 40};
  const Bytes rgb{230, 120, 40};
  for (const bool progressive : {false, true}) {
    for (const bool subsampled : {false, true}) {
      CAPTURE(progressive, subsampled);
      const auto file =
          make_jpeg({.subsampled = subsampled, .progressive = progressive}, solid(rgb));
      const Image image = decode_image(file, "x");
      CHECK(image.size == ImageSize{32, 40});
      CHECK(image.pixels.size() == 4 * 32 * 40);
      check_color(image, orange);
    }
  }
  check_color(decode_image(make_jpeg({.stored = JCS_RGB, .adobe = true}, solid(rgb)), "x"), orange);
  check_color(
      decode_image(make_jpeg({.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}, solid({99})), "x"),
      {99, 99, 99});
  // Inks 10, 60, 85 % and black 20 % let through (1 - ink) (1 - black) of the light.
  const Bytes inks{26, 153, 217, 51}, inverted{229, 102, 38, 204};
  const std::array<int, 3> light{183, 82, 30};
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    CAPTURE(stored);
    check_color(
        decode_image(
            make_jpeg({.given = JCS_CMYK, .stored = stored, .adobe = true}, solid(inverted)), "x"),
        light, 6);
  }
  check_color(decode_image(make_jpeg({.given = JCS_CMYK, .stored = JCS_CMYK}, solid(inks)), "x"),
              light, 6);
}

TEST_CASE("PNGs of every kind have the right colors", "[images]") {
  check_color(decode_image(make_png(PNG_FORMAT_RGB, {10, 200, 90}), "a.JPEG"), {10, 200, 90}, 0);
  check_color(decode_image(make_png(PNG_FORMAT_GRAY, {77}), "x"), {77, 77, 77}, 0);
  check_color(decode_image(make_png(PNG_FORMAT_RGBA, {10, 200, 90, 128}), "x"), {10, 200, 90}, 0);
  check_color(decode_image(make_png(PNG_FORMAT_RGB_COLORMAP, {1}, {0, 0, 0, 30, 60, 90}), "x"),
              {30, 60, 90}, 0);
  // Linear light in 16 bits: half of it is 188 of 255 in sRGB.
  const Bytes half{0x00, 0x80, 0x00, 0x80, 0x00, 0x80};
  check_color(decode_image(make_png(PNG_FORMAT_LINEAR_RGB, half), "x"), {188, 188, 188}, 2);
}

TEST_CASE("what is decoded of a region is what the whole image has there", "[images]") {
  Random random(3);
  Image part;  // its memory serves all
  for (const bool subsampled : {false, true}) {
    const int width = 333, height = 251;
    const auto file =
        make_jpeg({.width = width, .height = height, .subsampled = subsampled}, gradient);
    const Image whole = decode_image(file, "x");
    for (int round = 0; round < 30; ++round) {
      const auto top = static_cast<std::int64_t>(random.below(200));
      const auto left = static_cast<std::int64_t>(random.below(280));
      const auto rows = 1 + static_cast<std::int64_t>(random.below(50));
      const auto columns = 1 + static_cast<std::int64_t>(random.below(52));
      CAPTURE(subsampled, top, left, rows, columns);
      decode_image(
          file, "x",
          [&](const ImageSize& full) -> ImageRegion {
            CHECK(full == ImageSize{height, width});
            return {double(top), double(left), double(rows), double(columns), {rows, columns}};
          },
          part);
      REQUIRE(part.eighths == 8);
      int different = 0;
      for (std::int64_t y = top; y < top + rows; ++y) {
        for (std::int64_t x = left; x < left + columns; ++x) {
          REQUIRE((y >= part.top && y < part.top + part.size.height));
          REQUIRE((x >= part.left && x < part.left + part.size.width));
          const auto* a = whole.pixels.data() + 4 * (y * width + x);
          const auto* b =
              part.pixels.data() + 4 * ((y - part.top) * part.size.width + x - part.left);
          different += !std::equal(a, a + 3, b);
        }
      }
      CHECK(different == 0);
    }
  }
}

TEST_CASE("JPEGs are decoded at the smallest scale that suffices", "[images]") {
  const int width = 800, height = 640;
  const auto file = make_jpeg({.width = width, .height = height}, gradient);
  Image image;
  const std::vector<std::pair<std::int64_t, int>> cases{{640, 8}, {321, 8}, {320, 4}, {161, 4},
                                                        {160, 2}, {81, 2},  {80, 1},  {10, 1}};
  for (const auto& [needed, eighths] : cases) {
    CAPTURE(needed);
    decode_image(
        file, "x",
        [n = needed](const ImageSize& full) -> ImageRegion {
          return {0, 0, double(full.height), double(full.width), {n, n}};
        },
        image);
    CHECK(image.eighths == eighths);
    CHECK(image.size == ImageSize{height * eighths / 8, width * eighths / 8});
    // The pixel in the middle shows the middle of the picture.
    const auto color = middle(image);
    CHECK(std::abs(color[1] - (2 * (height / 2)) % 256) <= 12);
  }
}

TEST_CASE("broken images are errors that name the file", "[images]") {
  const auto refuse = [](const Bytes& file) {
    CHECK_THROWS_AS(decode_image(file, "photo.jpg"), ImageError);
    CHECK_THROWS_WITH(decode_image(file, "photo.jpg"), contains("photo.jpg"));
  };
  refuse({});
  refuse({'h', 'e', 'l', 'l', 'o'});
  refuse({0xFF});
  refuse({0xFF, 0xD8});
  for (const bool progressive : {false, true}) {
    const Bytes whole =
        make_jpeg({.width = 200, .height = 160, .progressive = progressive}, gradient);
    for (std::size_t length = 2; length < whole.size() - 2; length += 1 + whole.size() / 37) {
      CAPTURE(progressive, length, whole.size());
      refuse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    }
    // A size that no memory holds, in the frame header.
    Bytes absurd = whole;
    const std::uint8_t frame = progressive ? 0xC2 : 0xC0;
    for (std::size_t i = 0; i + 8 < absurd.size(); ++i) {
      if (absurd[i] == 0xFF && absurd[i + 1] == frame) {
        std::fill_n(absurd.begin() + static_cast<std::ptrdiff_t>(i) + 5, 4, 0xFF);
        break;
      }
    }
    refuse(absurd);
  }
  const Bytes png = make_png(PNG_FORMAT_RGB, {1, 2, 3});
  // The last 12 bytes are the end chunk, without which nothing of the picture is missing.
  for (std::size_t length = 4; length < png.size() - 12; ++length) {
    refuse(Bytes(png.begin(), png.begin() + static_cast<std::ptrdiff_t>(length)));
  }
}

TEST_CASE("damaged bytes give an image of the right size or an error", "[images]") {
  const Bytes whole = make_jpeg({.width = 120, .height = 90, .subsampled = true}, gradient);
  Random random(4);
  int errors = 0;
  for (int round = 0; round < 300; ++round) {
    Bytes file = whole;
    for (int i = 0; i < 3; ++i) {
      file[2 + random.below(file.size() - 2)] = static_cast<std::uint8_t>(random.below(256));
    }
    try {
      const Image image = decode_image(file, "x");
      CHECK(std::ssize(image.pixels) == 4 * image.size.height * image.size.width);
    } catch (const ImageError&) {
      ++errors;
    }
  }
  CHECK(errors > 30);
  CHECK(errors < 300);
}

TEST_CASE("photographs decode", "[images][real-data]") {
  const char* root = std::getenv("COGRAD_DATA");
  int decoded = 0, gray = 0;
  for (const char* set : {"imagenet_samples", "cifar10/test/cat", "tinyimagenet100/val"}) {
    const fs::path folder = fs::path(root ? root : "") / set;
    if (root == nullptr || !fs::is_directory(folder)) {
      std::printf("SKIPPED: photographs: $COGRAD_DATA/%s is not there\n", set);
      continue;
    }
    Bytes bytes;
    int left = 1000;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || left-- <= 0) continue;
      read_file(entry.path(), bytes);
      const Image image = decode_image(bytes, entry.path());
      bool colorless = true;
      for (std::size_t i = 0; colorless && i < image.pixels.size(); i += 4) {
        colorless =
            image.pixels[i] == image.pixels[i + 1] && image.pixels[i] == image.pixels[i + 2];
      }
      gray += colorless;
      ++decoded;
    }
  }
  if (decoded > 2000) CHECK(gray > 5);  // there are some among them
}

}  // namespace cograd::testing
