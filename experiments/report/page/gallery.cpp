#include "cograd/experiments/report/page/gallery.h"

#include <algorithm>
#include <cmath>

namespace cograd {
namespace {

constexpr std::int64_t kLargestSide = 96;  // pixels

std::string base64(const std::vector<std::uint8_t>& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) { return j < bytes.size() ? bytes[j] : 0u; };
    const unsigned triple = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int digit = 0; digit < 4; ++digit) {
      const bool padding = i + static_cast<std::size_t>(digit) > bytes.size();
      text += padding ? '=' : kDigits[triple >> (18 - 6 * digit) & 63];
    }
  }
  return text;
}

}  // namespace

Thumbnail thumbnail_of(const Dataset& data, const ChannelStatistics& statistics,
                       std::int64_t index) {
  const Shape shape = data.image_shape();
  const std::int64_t channels = shape[0], height = shape[1], width = shape[2];
  const std::vector<float> pixels = data.get(index).pixels;
  const std::int64_t step = (std::max(height, width) + kLargestSide - 1) / kLargestSide;
  Thumbnail thumbnail{{height / step, width / step}, {}, {}};
  for (std::int64_t y = 0; y < thumbnail.size.height; ++y) {
    for (std::int64_t x = 0; x < thumbnail.size.width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t channel = std::min(c, channels - 1);
        double sum = 0.0;
        for (std::int64_t dy = 0; dy < step; ++dy) {
          for (std::int64_t dx = 0; dx < step; ++dx) {
            sum += pixels[static_cast<std::size_t>((channel * height + y * step + dy) * width +
                                                   x * step + dx)];
          }
        }
        const auto s = static_cast<std::size_t>(channel);
        const double value =
            sum / static_cast<double>(step * step) * statistics.std[s] + statistics.mean[s];
        thumbnail.pixels.push_back(
            static_cast<std::uint8_t>(std::lround(255.0 * std::clamp(value, 0.0, 1.0))));
      }
    }
  }
  return thumbnail;
}

std::string png_uri(const Thumbnail& thumbnail) {
  return "data:image/png;base64," + base64(encode_png(thumbnail.size, thumbnail.pixels));
}

}  // namespace cograd
