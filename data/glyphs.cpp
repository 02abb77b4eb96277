#include "cograd/data/glyphs.h"

#include <algorithm>
#include <array>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "cograd/data/byte_images.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "cograd/engine/threads.h"

namespace cograd {
namespace {

constexpr std::int64_t kClasses = 10;
constexpr int kOversampling = 3;  // drawn larger and averaged down: smooth strokes

/// One image, [S, S] bytes, of `digit`.
cv::Mat draw(std::int64_t digit, int size, Random& random) {
  const int canvas = size * kOversampling;
  const auto side = static_cast<double>(canvas);
  const auto spread = [&](double range) { return random.uniform(-range, range); };

  // A digit in the middle, about two thirds of the image high.
  constexpr std::array fonts{cv::FONT_HERSHEY_SIMPLEX, cv::FONT_HERSHEY_DUPLEX,
                             cv::FONT_HERSHEY_COMPLEX, cv::FONT_HERSHEY_SCRIPT_SIMPLEX,
                             cv::FONT_HERSHEY_SCRIPT_COMPLEX};
  int font = fonts[random.below(fonts.size())];
  if (random.below(3) == 0) font |= cv::FONT_ITALIC;
  const int thickness = std::max(1, static_cast<int>(side * random.uniform(0.05, 0.10)));
  const std::string text = std::to_string(digit);
  int baseline = 0;
  const cv::Size unit = cv::getTextSize(text, font, 1.0, 1, &baseline);
  const double scale = 0.62 * side / unit.height;
  const cv::Size box = cv::getTextSize(text, font, scale, 1, &baseline);
  // Not Mat::zeros(): its table is made by the first thread that asks, unseen by thread sanitizers.
  cv::Mat image(canvas, canvas, CV_32F, cv::Scalar(0));
  cv::putText(image, text, {(canvas - box.width) / 2, (canvas + box.height) / 2}, font, scale, 1.0,
              thickness, cv::LINE_AA);

  // The source of each pixel: the inverse of a random affine map ...
  const double angle = spread(0.2), shear = spread(0.2);
  const double sx = random.uniform(0.85, 1.2), sy = random.uniform(0.85, 1.15);
  const double tx = spread(0.04 * side), ty = spread(0.04 * side);
  const double c = std::cos(angle), s = std::sin(angle);
  // ... plus a smooth random displacement.
  cv::Mat dx(canvas, canvas, CV_32F), dy(canvas, canvas, CV_32F);
  for (cv::Mat* field : {&dx, &dy}) {
    cv::Mat coarse(5, 5, CV_32F);
    for (int i = 0; i < 25; ++i) {
      coarse.at<float>(i / 5, i % 5) = static_cast<float>(0.03 * side * random.normal());
    }
    cv::resize(coarse, *field, field->size(), 0, 0, cv::INTER_CUBIC);
  }
  for (int y = 0; y < canvas; ++y) {
    for (int x = 0; x < canvas; ++x) {
      const double u = x - side / 2 - tx, v = y - side / 2 - ty;
      dx.at<float>(y, x) += static_cast<float>(sx * (c * u + s * v) + shear * v + side / 2);
      dy.at<float>(y, x) += static_cast<float>(sy * (c * v - s * u) + side / 2);
    }
  }
  cv::Mat warped, small;
  cv::remap(image, warped, dx, dy, cv::INTER_LINEAR, cv::BORDER_CONSTANT, 0.0);
  cv::resize(warped, small, {size, size}, 0, 0, cv::INTER_AREA);

  const double contrast = random.uniform(0.75, 1.0);
  cv::Mat bytes(size, size, CV_8U);
  for (int i = 0; i < size * size; ++i) {
    const double value = contrast * small.at<float>(i / size, i % size) + 0.05 * random.normal();
    bytes.at<std::uint8_t>(i / size, i % size) = cv::saturate_cast<std::uint8_t>(255.0 * value);
  }
  return bytes;
}

}  // namespace

DatasetPtr draw_glyphs(const GlyphOptions& options) {
  require<ValueError>(options.size >= 1, "[glyphs] expected at least 1 image, not {}",
                      options.size);
  require<ValueError>(options.image_size >= 8 && options.image_size <= 512,
                      "[glyphs] images must be 8 to 512 pixels wide, not {}", options.image_size);
  const std::int64_t n = options.size, pixels = options.image_size * options.image_size;
  ByteImages::Content content{
      .name = options.split == Split::train ? "glyphs train" : "glyphs test",
      .image_shape = {1, options.image_size, options.image_size},
      .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(n * pixels)),
      .labels = std::vector<std::uint8_t>(static_cast<std::size_t>(n)),
      .classes = kClasses};
  const auto draw_image = [&](std::int64_t i) {
    // Splits take turns in the streams of one seed, so neither repeats the other.
    const auto stream = static_cast<std::uint64_t>(2 * i) + (options.split == Split::test);
    Random random(options.seed, stream);
    const std::int64_t label = i % kClasses;
    const cv::Mat image = draw(label, static_cast<int>(options.image_size), random);
    std::copy_n(image.ptr<std::uint8_t>(), pixels, content.pixels.data() + i * pixels);
    content.labels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(label);
  };
  parallel_ranges(n, true, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) draw_image(i);
  });
  return std::make_shared<ByteImages>(std::move(content));
}

}  // namespace cograd
