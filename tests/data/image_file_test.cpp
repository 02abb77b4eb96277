// JPEG and PNG files: colors, scales, regions, and files that are broken.
#include "cograd/data/image_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/random.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

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

/// Writes another width and height into a PNG, with the checksum that belongs to them.
void claim_size(Bytes& png, std::uint32_t width, std::uint32_t height) {
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
      png[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    }
  };
  put(16, width);
  put(20, height);
  put(29, static_cast<std::uint32_t>(crc32(0, png.data() + 12, 17)));
}

/// The same for the frame header of a JPEG.
void claim_size(Bytes& jpeg, std::uint16_t extent) {
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xFF || (jpeg[i + 1] != 0xC0 && jpeg[i + 1] != 0xC2)) continue;
    for (const std::size_t at : {i + 5, i + 7}) {
      jpeg[at] = static_cast<std::uint8_t>(extent >> 8);
      jpeg[at + 1] = static_cast<std::uint8_t>(extent);
    }
    return;
  }
  FAIL("no frame header");
}

/// Whether a JPEG has brightness alone, by its header.
bool is_gray_jpeg(const Bytes& file) {
  if (file.empty() || file[0] != 0xFF) return false;
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&info, TRUE);
  const bool gray = info.num_components == 1;
  jpeg_destroy_decompress(&info);
  return gray;
}

}  // namespace

TEST_CASE("JPEGs of every color space have the right colors", "[images]") {
  const std::array<int, 3> orange{230, 120, 40};
  const Bytes rgb{230, 120, 40};
  for (const bool progressive : {false, true}) {
    for (const int sampling : {1, 2}) {
      CAPTURE(progressive, sampling);
      const auto file =
          make_jpeg({.across = sampling, .down = sampling, .progressive = progressive}, solid(rgb));
      const Image image = decode_image(file, "x");
      CHECK(image.size == ImageSize{32, 40});
      CHECK(image.pixels.size() == 4 * 32 * 40);
      check_color(image, orange);
    }
  }
  for (const bool adobe : {false, true}) {
    check_color(decode_image(make_jpeg({.stored = JCS_RGB, .adobe = adobe}, solid(rgb)), "x"),
                orange);
  }
  check_color(
      decode_image(make_jpeg({.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}, solid({99})), "x"),
      {99, 99, 99});
  // Inks 10, 60, 85 % and black 20 % let through (1 - ink) (1 - black) of the light.
  const Bytes inverted{229, 102, 38, 204};
  const std::array<int, 3> light{183, 82, 30};
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    CAPTURE(stored);
    check_color(
        decode_image(
            make_jpeg({.given = JCS_CMYK, .stored = stored, .adobe = true}, solid(inverted)), "x"),
        light, 6);
  }
  // Without Adobe's marker they are inverted all the same, as in Pillow.
  check_color(
      decode_image(make_jpeg({.given = JCS_CMYK, .stored = JCS_CMYK}, solid(inverted)), "x"), light,
      6);
}

TEST_CASE("PNGs of every kind have the right colors", "[images]") {
  const std::vector<png_color> palette{{0, 0, 0}, {1, 2, 3}, {30, 60, 90}};
  struct Case {
    PngOptions options;
    Bytes samples;
    std::array<int, 3> color;
  };
  for (const Case& c : std::vector<Case>{
           {{}, {10, 200, 90}, {10, 200, 90}},
           {{.depth = 16}, {0x0A, 0x80, 0xC8, 0x00, 0x5A, 0xFF}, {10, 200, 90}},  // the high bytes
           {{.color = PNG_COLOR_TYPE_RGBA}, {10, 200, 90, 128}, {10, 200, 90}},
           {{.color = PNG_COLOR_TYPE_RGBA}, {10, 200, 90, 0}, {10, 200, 90}},
           {{.color = PNG_COLOR_TYPE_GRAY}, {77}, {77, 77, 77}},
           {{.color = PNG_COLOR_TYPE_GRAY, .depth = 1}, {1}, {255, 255, 255}},
           {{.color = PNG_COLOR_TYPE_GRAY, .depth = 2}, {2}, {170, 170, 170}},
           {{.color = PNG_COLOR_TYPE_GRAY, .depth = 4}, {7}, {119, 119, 119}},
           {{.color = PNG_COLOR_TYPE_GRAY, .depth = 16}, {0x80, 0x00}, {128, 128, 128}},
           {{.color = PNG_COLOR_TYPE_GRAY_ALPHA}, {77, 9}, {77, 77, 77}},
           {{.color = PNG_COLOR_TYPE_PALETTE, .palette = palette}, {2}, {30, 60, 90}},
           {{.color = PNG_COLOR_TYPE_PALETTE, .depth = 2, .palette = palette}, {2}, {30, 60, 90}},
           {{.color = PNG_COLOR_TYPE_PALETTE, .palette = palette, .alphas = {255, 255, 7}},
            {2},
            {30, 60, 90}}}) {
    CAPTURE(c.options.color, c.options.depth);
    check_color(decode_image(make_png(c.options, solid(c.samples)), "misnamed.JPEG"), c.color, 0);
  }
}

TEST_CASE("every pixel of a PNG is where it belongs", "[images]") {
  for (const bool interlaced : {false, true}) {
    const auto file = make_png({.width = 37, .height = 21, .interlaced = interlaced}, gradient);
    const Image image = decode_image(file, "x");
    REQUIRE(image.size == ImageSize{21, 37});
    for (int i = 0; i < 21 * 37; ++i) {
      const Bytes expected = gradient(i / 37, i % 37);
      REQUIRE(std::equal(expected.begin(), expected.end(), image.pixels.begin() + 4 * i));
    }
  }
}

TEST_CASE("what is decoded of a region is what the whole image has there", "[images]") {
  Random random(3);
  Image part;  // its memory serves all
  const int width = 333, height = 251;
  for (const JpegOptions& options :
       std::vector<JpegOptions>{{},
                                {.across = 2},
                                {.down = 2},
                                {.across = 2, .down = 2},
                                {.across = 2, .down = 2, .progressive = true},
                                {.across = 4},
                                {.down = 4},
                                {.across = 4, .down = 2},
                                {.across = 3, .down = 1, .restart_rows = 2},
                                {.stored = JCS_GRAYSCALE}}) {
    JpegOptions sized = options;
    sized.width = width;
    sized.height = height;
    const auto file = make_jpeg(sized, gradient);
    const Image whole = decode_image(file, "x");
    for (int round = 0; round < 30; ++round) {
      const auto top = static_cast<std::int64_t>(random.below(200));
      const auto left = static_cast<std::int64_t>(random.below(280));
      const auto rows = 1 + static_cast<std::int64_t>(random.below(50));
      const auto columns = 1 + static_cast<std::int64_t>(random.below(52));
      CAPTURE(options.across, options.down, options.progressive, top, left, rows, columns);
      decode_image(
          file, "x",
          [&](const ImageSize& full) -> ImageRegion {
            CHECK(full == ImageSize{height, width});
            return {top, left, rows, columns};
          },
          part);
      REQUIRE(part.size.height < height);
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
  }
  const Bytes png = make_png({}, solid({1, 2, 3}));
  // The last 12 bytes are the end chunk, without which nothing of the picture is missing.
  for (std::size_t length = 4; length < png.size() - 12; ++length) {
    refuse(Bytes(png.begin(), png.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  for (std::size_t at = 8; at < png.size() - 12; ++at) {  // all of it has checksums
    CAPTURE(at);
    Bytes damaged = png;
    damaged[at] ^= 0x10;
    refuse(damaged);
  }
}

TEST_CASE("a file that is cut off below the region is broken, too", "[images]") {
  Image image;
  const ChooseRegion upper_half = [](const ImageSize& full) -> ImageRegion {
    return {0, 0, full.height / 2, full.width};
  };
  Bytes file = make_jpeg({.width = 200, .height = 160}, gradient);
  decode_image(file, "x", upper_half, image);
  CHECK(image.size.height < 160);
  Bytes longer = file;
  longer.resize(file.size() + 10);  // what follows its end does not matter
  CHECK_NOTHROW(decode_image(longer, "x", upper_half, image));
  file.resize(file.size() * 9 / 10);
  CHECK_THROWS_AS(decode_image(file, "x", upper_half, image), ImageError);
}

TEST_CASE("sizes that the file cannot hold are not believed", "[images]") {
  const auto refuse = [](const Bytes& file) {
    CHECK_THROWS_WITH(decode_image(file, "x.jpg"), contains("x.jpg claims to be"));
  };
  for (const bool progressive : {false, true}) {
    Bytes jpeg = make_jpeg({.progressive = progressive}, gradient);
    for (const std::uint16_t extent : {8000, 65500}) {
      claim_size(jpeg, extent);
      refuse(jpeg);
    }
  }
  Bytes png = make_png({}, gradient);
  claim_size(png, 6, 5);
  CHECK_NOTHROW(decode_image(png, "x"));
  for (const std::uint32_t extent : {8000, 60000, 1000000}) {
    claim_size(png, extent, extent);
    refuse(png);
  }
  // A picture of one color, which nothing compresses better, is.
  const PngOptions large{.width = 2000, .height = 1500, .color = PNG_COLOR_TYPE_GRAY, .depth = 1};
  CHECK(decode_image(make_png(large, solid({1})), "x").size == ImageSize{1500, 2000});
}

TEST_CASE("damaged bytes give an image of the right size or an error", "[images]") {
  const Bytes whole = make_jpeg({.width = 120, .height = 90, .across = 2, .down = 2}, gradient);
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
  int gray = 0, colored = 0;
  for (const char* set : {"imagenet_samples", "cifar10", "tinyimagenet100"}) {
    const fs::path folder = fs::path(root ? root : "") / set;
    if (root == nullptr || !fs::is_directory(folder)) {
      std::printf("SKIPPED: photographs: $COGRAD_DATA/%s is not there\n", set);
      continue;
    }
    Bytes bytes;
    int decoded = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path ending = entry.path().extension();
      if (ending != ".jpg" && ending != ".JPEG") continue;
      if (++decoded > 2000) break;
      CAPTURE(entry.path());
      read_file(entry.path(), bytes);
      const Image image = decode_image(bytes, entry.path());
      bool colorless = true;
      for (std::size_t i = 0; colorless && i < image.pixels.size(); i += 4) {
        colorless =
            image.pixels[i] == image.pixels[i + 1] && image.pixels[i] == image.pixels[i + 2];
      }
      if (is_gray_jpeg(bytes)) REQUIRE(colorless);
      gray += is_gray_jpeg(bytes);
      colored += !colorless;
    }
    CHECK(decoded > 0);
  }
  if (gray + colored > 4000) CHECK(gray > 5);  // there are some among them
  CHECK(colored >= gray);
}

TEST_CASE("an encoded PNG decodes to the same pixels", "[images]") {
  const ImageSize size{5, 7};
  std::vector<std::uint8_t> pixels(3 * 5 * 7);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(37 * i);
  const Image image = decode_image(encode_png(size, pixels), "encoded");
  CHECK(image.size == size);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    REQUIRE(image.pixels[i / 3 * 4 + i % 3] == pixels[i]);
  }
  pixels.pop_back();
  CHECK_THROWS_AS(encode_png(size, pixels), ShapeError);
}

}  // namespace cograd::testing
