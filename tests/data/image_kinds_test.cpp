// Kinds of image files that Pillow reads, and what it reads of them.
#include <zlib.h>

#include <algorithm>
#include <string>

#include "cograd/data/image_file.h"
#include "cograd/data/transform.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"

namespace cograd::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kAfterHeader = 33;  // of a PNG: 8 bytes and the chunk IHDR

void append(Bytes& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    to.push_back(static_cast<std::uint8_t>(value >> shift));
}

Bytes chunk(const std::string& type, const Bytes& data, bool damaged = false) {
  Bytes bytes;
  append(bytes, static_cast<std::uint32_t>(data.size()));
  bytes.insert(bytes.end(), type.begin(), type.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  const auto sum =
      static_cast<std::uint32_t>(crc32(0, bytes.data() + 4, static_cast<uInt>(bytes.size() - 4)));
  append(bytes, damaged ? ~sum : sum);
  return bytes;
}

Bytes gamma(std::uint32_t value) {
  Bytes data;
  append(data, value);
  return chunk("gAMA", data);
}

/// Adobe's marker, with a color transform.
Bytes adobe(std::uint8_t transform) {
  return {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform};
}

Bytes jfif(std::uint8_t major, std::uint8_t minor) {
  return {0xFF, 0xE0, 0, 16, 'J', 'F', 'I', 'F', 0, major, minor, 0, 0, 1, 0, 1, 0, 0};
}

/// The last place of a marker, wherever it is.
std::size_t last_marker(const Bytes& file, std::uint8_t marker) {
  std::size_t at = file.size() - 2;
  while (at > 0 && (file[at] != 0xFF || file[at + 1] != marker)) --at;
  return at;
}

void check_same(const Bytes& file, const Image& expected, bool warned) {
  const Image image = decode_image(file, "odd.jpg");
  CHECK(image.size == expected.size);
  CHECK(image.pixels == expected.pixels);
  CAPTURE(image.warning);
  CHECK(image.warning.empty() == !warned);
  if (warned) CHECK_THAT(image.warning, contains("odd.jpg"));
}

void refuse(const Bytes& file, const std::string& because) {
  CHECK_THROWS_AS(decode_image(file, "odd.jpg"), ImageError);
  CHECK_THROWS_WITH(decode_image(file, "odd.jpg"), contains("odd.jpg") && contains(because));
}

}  // namespace

TEST_CASE("gamma and color profiles of a PNG are ignored", "[images]") {
  const std::vector<png_color> palette{{0, 0, 0}, {9, 99, 199}, {30, 60, 90}, {255, 200, 1}};
  const Bytes primaries = [] {
    Bytes data;
    for (const std::uint32_t v : {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000}) {
      append(data, v);
    }
    return chunk("cHRM", data);
  }();
  for (const PngOptions& options :
       std::vector<PngOptions>{{},
                               {.interlaced = true},
                               {.depth = 16},
                               {.color = PNG_COLOR_TYPE_RGBA},
                               {.color = PNG_COLOR_TYPE_RGBA, .depth = 16},
                               {.color = PNG_COLOR_TYPE_GRAY, .depth = 2},
                               {.color = PNG_COLOR_TYPE_GRAY, .depth = 4},
                               {.color = PNG_COLOR_TYPE_GRAY},
                               {.color = PNG_COLOR_TYPE_GRAY, .depth = 16},
                               {.color = PNG_COLOR_TYPE_GRAY_ALPHA},
                               {.color = PNG_COLOR_TYPE_PALETTE, .palette = palette},
                               {.color = PNG_COLOR_TYPE_PALETTE, .depth = 2, .palette = palette}}) {
    CAPTURE(options.color, options.depth);
    const int samples = options.color == PNG_COLOR_TYPE_RGBA         ? 4
                        : options.color == PNG_COLOR_TYPE_RGB        ? 3
                        : options.color == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                                     : 1;
    const int values =
        options.color == PNG_COLOR_TYPE_PALETTE ? 4 : 1 << std::min(options.depth, 8);
    const Bytes file = make_png(options, [&](int y, int x) {
      Bytes pixel;
      for (int i = 0; i < samples * (options.depth == 16 ? 2 : 1); ++i) {
        pixel.push_back(static_cast<std::uint8_t>((37 * x + 91 * y + 50 * i) % values));
      }
      return pixel;
    });
    const Image plain = decode_image(file, "x");
    for (const Bytes& gammas : {gamma(100000), gamma(22000), gamma(0)}) {
      check_same(inserted(file, kAfterHeader, gammas), plain, false);
      check_same(inserted(inserted(file, kAfterHeader, gammas), kAfterHeader, primaries), plain,
                 false);
    }
    check_same(inserted(file, kAfterHeader, chunk("sRGB", {0})), plain, false);
    check_same(inserted(file, kAfterHeader, chunk("iCCP", {'x', 0, 0, 1, 2, 3})), plain, false);
    check_same(
        inserted(file, kAfterHeader, chunk("sBIT", Bytes(static_cast<std::size_t>(samples), 2))),
        plain, false);
  }
}

TEST_CASE("of 16 bits in a PNG the high byte is kept", "[images]") {
  for (const bool interlaced : {false, true}) {
    const auto sample = [](int y, int x) {
      return Bytes{std::uint8_t(40 * y + x), std::uint8_t(x * 90)};
    };
    const auto file = make_png(
        {.width = 9, .color = PNG_COLOR_TYPE_GRAY, .depth = 16, .interlaced = interlaced}, sample);
    const Image image = decode_image(file, "x");
    for (int i = 0; i < 45; ++i) {
      CHECK(image.pixels[static_cast<std::size_t>(4 * i)] == 40 * (i / 9) + i % 9);
    }
  }
}

TEST_CASE("what surrounds the pixels of a PNG does not matter", "[images]") {
  const Bytes file = make_png({.width = 30, .height = 20}, gradient);
  const Image plain = decode_image(file, "x");
  check_same(inserted(file, kAfterHeader, chunk("IDAT", {})), plain, false);
  check_same(inserted(file, kAfterHeader, chunk("acTL", {0, 0, 0, 1, 0, 0, 0, 0})), plain, false);
  check_same(inserted(file, kAfterHeader, chunk("tRNS", {0, 1, 0, 2, 0, 3})), plain, false);
  check_same(inserted(file, kAfterHeader, chunk("bKGD", {0, 1, 0, 2, 0, 3})), plain, false);
  check_same(inserted(file, kAfterHeader, chunk("eXIf", {'I', 'I', 42, 0})), plain, false);
  check_same(inserted(file, file.size(), Bytes(100, 7)), plain, false);
  check_same(inserted(file, kAfterHeader, chunk("tEXt", {'a', 0, 'b'}, true)), plain, true);
  refuse(inserted(file, kAfterHeader, chunk("ABCD", {1})), "ABCD");  // must be understood
}

TEST_CASE("a JPEG whose pixels are intact is read, with a warning", "[images]") {
  for (const JpegOptions& kind :
       std::vector<JpegOptions>{{}, {.progressive = true}, {.restart_rows = 1}}) {
    CAPTURE(kind.progressive, kind.restart_rows);
    const Bytes file = make_jpeg(kind, gradient);
    const Image plain = decode_image(file, "x");
    CHECK(plain.warning.empty());
    const std::size_t end = file.size() - 2;
    check_same(inserted(file, 2, jfif(1, 2)), plain, false);
    check_same(inserted(file, 2, jfif(2, 1)), plain, true);
    check_same(inserted(file, 2, adobe(1)), plain, false);
    for (const std::uint8_t transform : {2, 3, 255}) {
      check_same(inserted(file, 2, adobe(transform)), plain, true);
    }
    for (const std::uint8_t marker : {0xDB, 0xC4, 0xDA}) {
      check_same(inserted(file, marker_at(file, marker), {0, 1, 2}), plain, true);
      check_same(inserted(file, marker_at(file, marker), {0xFF, 0}), plain, true);
      check_same(inserted(file, marker_at(file, marker), {0xFF, 0xFF}), plain, false);  // may be
    }
    check_same(inserted(file, end, Bytes(20, 0)), plain, true);
    check_same(inserted(file, end, Bytes(500, 77)), plain, true);
    check_same(inserted(file, file.size(), Bytes(50, 9)), plain, false);
    check_same(inserted(file, 2, {0xFF, 0xFE, 0, 4, 'h', 'i'}), plain, false);
  }
  // A baseline scan has all coefficients, whatever it says.
  Bytes scan = make_jpeg({}, gradient);
  const Image plain = decode_image(scan, "x");
  scan[marker_at(scan, 0xDA) + 12] = 0;
  check_same(scan, plain, true);
  // What is inked says Adobe's transform 3, which is taken for 2.
  const JpegOptions inks{.given = JCS_CMYK, .stored = JCS_YCCK, .adobe = true};
  Bytes inked = make_jpeg(inks, solid({200, 100, 50, 220}));
  const Image colors = decode_image(inked, "x");
  inked[marker_at(inked, 0xEE) + 15] = 3;
  check_same(inked, colors, true);
}

TEST_CASE("the warning comes with the transformed image", "[images]") {
  const Bytes file = make_jpeg({}, gradient);
  std::vector<float> pixels(3 * 64);
  Random none(0);
  const ImageTransform transform{.resize = 8, .crop = 8};
  CHECK_THAT(
      transform_image(inserted(file, 2, jfif(2, 1)), "odd.jpg", transform, none, pixels.data()),
      contains("odd.jpg") && contains("2.01"));
  CHECK(transform_image(file, "odd.jpg", transform, none, pixels.data()).empty());
}

TEST_CASE("a JPEG whose pixels are damaged or missing is broken", "[images]") {
  for (const bool progressive : {false, true}) {
    CAPTURE(progressive);
    const Bytes file =
        make_jpeg({.width = 200, .height = 160, .progressive = progressive}, gradient);
    const auto cut = [&](std::size_t length) {
      return Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
    };
    refuse(cut(file.size() - 1), "Premature end");
    refuse(cut(file.size() - 2), "Premature end");
    Bytes early = cut(file.size() * 2 / 3);
    refuse(early, "Premature end");
    early.insert(early.end(), {0xFF, 0xD9});
    refuse(early, "premature end");
  }
  const Bytes restarts = make_jpeg({.restart_rows = 1}, gradient);
  const std::size_t second = last_marker(restarts, 0xD1);
  REQUIRE(second > 0);
  Bytes wrong = restarts;
  wrong[second + 1] = 0xD5;
  refuse(wrong, "0xd5 instead of RST1");
  wrong = restarts;
  wrong.erase(wrong.begin() + static_cast<std::ptrdiff_t>(second),
              wrong.begin() + static_cast<std::ptrdiff_t>(second) + 2);
  refuse(wrong, "instead of RST1");
  // A scan that refines bits which none before it had.
  Bytes progressive = make_jpeg({.progressive = true}, gradient);
  const std::size_t last = last_marker(progressive, 0xDA);
  progressive[last + 1 + progressive[last + 3]] = 0x54;
  refuse(progressive, "Inconsistent progression");
}

TEST_CASE("kinds of JPEG that cannot be decoded are told from broken ones", "[images]") {
  Bytes file = make_jpeg({}, gradient);
  const std::size_t frame = marker_at(file, 0xC0);
  file[frame + 4] = 12;
  refuse(file, "is a kind of JPEG that libjpeg cannot decode: Unsupported JPEG data precision 12");
  file[frame + 4] = 8;
  file[frame + 1] = 0xC3;
  refuse(file, "Unsupported JPEG process");
  refuse(make_jpeg({.given = JCS_UNKNOWN, .stored = JCS_UNKNOWN}, solid({1, 2})),
         "2 color components: expected 1, 3 or 4");
}

}  // namespace cograd::testing
