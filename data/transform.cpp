#include "cograd/data/transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "cograd/data/resample.h"

namespace cograd {
namespace {

/// The rectangle that the network sees, in pixels of the image file.
struct View {
  double top = 0.0, left = 0.0, height = 0.0, width = 0.0;
  bool cut = false;  // cropped before scaling: pixels outside do not count
  bool flip = false;
};

/// The center of the image, scaled so that its shorter side is `resize` long. Rounds as
/// torchvision: the longer side down, the margins to even halves.
View center_crop(const ImageSize& full, const ImageTransform& transform) {
  const std::int64_t shorter = std::min(full.height, full.width);
  const auto range = [&](std::int64_t extent) {
    const std::int64_t whole = transform.resize * extent / shorter;  // torchvision's int()
    const auto scaled = static_cast<double>(whole);
    const auto crop = static_cast<double>(transform.crop);
    const double step = static_cast<double>(extent) / scaled;
    return std::pair{std::nearbyint((scaled - crop) / 2.0) * step, crop * step};
  };
  View view;
  std::tie(view.top, view.height) = range(full.height);
  std::tie(view.left, view.width) = range(full.width);
  return view;
}

/// torchvision's RandomResizedCrop: ten tries, then the largest central box with an allowed aspect
/// ratio.
View random_resized_crop(const ImageSize& full, Random& random) {
  constexpr double kNarrow = 3.0 / 4.0, kWide = 4.0 / 3.0;
  const auto height = static_cast<double>(full.height), width = static_cast<double>(full.width);
  View view;
  bool found = false;
  for (int attempt = 0; attempt < 10 && !found; ++attempt) {
    const double area = height * width * random.uniform(0.08, 1.0);
    const double ratio = std::exp(random.uniform(std::log(kNarrow), std::log(kWide)));
    view.width = std::round(std::sqrt(area * ratio));
    view.height = std::round(std::sqrt(area / ratio));
    found = view.width >= 1 && view.width <= width && view.height >= 1 && view.height <= height;
    if (found) {
      view.top = std::floor(random.uniform(0.0, height - view.height + 1.0));
      view.left = std::floor(random.uniform(0.0, width - view.width + 1.0));
    }
  }
  if (!found) {
    view.width = std::min(width, std::round(height * kWide));
    view.height = std::min(height, std::round(width / kNarrow));
    view.top = std::floor((height - view.height) / 2.0);
    view.left = std::floor((width - view.width) / 2.0);
  }
  view.cut = true;
  view.flip = random.uniform() < 0.5f;
  return view;
}

/// The pixels of the image that contribute to the view.
ImageRegion region_of(const View& view, std::int64_t crop) {
  const auto range = [&](double start, double extent) {
    const double around = view.cut ? 0.0 : triangle_half_width(extent / static_cast<double>(crop));
    const auto first = static_cast<std::int64_t>(std::floor(start - around));
    return std::pair{first, static_cast<std::int64_t>(std::ceil(start + extent + around)) - first};
  };
  ImageRegion region;
  std::tie(region.top, region.height) = range(view.top, view.height);
  std::tie(region.left, region.width) = range(view.left, view.width);
  return region;
}

/// Writes the normalized pixels of `view` as planes [3, crop, crop].
void scale(const Image& image, const View& view, std::int64_t crop,
           const ChannelStatistics& statistics, float* pixels) {
  const ImageRegion region = region_of(view, crop);
  const auto n = static_cast<double>(crop);
  const ResampleAxis down{.start = view.top - static_cast<double>(image.top),
                          .step = view.height / n,
                          .first = region.top - image.top,
                          .end = region.top + region.height - image.top};
  ResampleAxis across{.start = view.left - static_cast<double>(image.left),
                      .step = view.width / n,
                      .first = region.left - image.left,
                      .end = region.left + region.width - image.left};
  if (view.flip) {
    across.start += view.width;
    across.step = -across.step;
  }
  std::array<float, 3> factor{}, shift{};
  for (std::size_t c = 0; c < 3; ++c) {
    factor[c] = 1.0f / (255.0f * statistics.std[c]);
    shift[c] = -statistics.mean[c] / statistics.std[c];
  }
  resample(image, down, crop, across, crop, factor, shift, pixels);
}

}  // namespace

ImageTransform imagenet_transform(std::int64_t image_size, bool augment) {
  ImageTransform transform;
  transform.crop = image_size;
  transform.resize = image_size == 224 ? 256 : image_size;
  transform.augment = augment;
  return transform;
}

std::string transform_image(std::span<const std::uint8_t> file, const std::string& name,
                            const ImageTransform& transform, Random& random, float* pixels) {
  // Kept by each thread: new memory for every image costs a tenth of the time.
  thread_local Image image;
  View view;
  const auto choose = [&](const ImageSize& full) -> ImageRegion {
    view = transform.augment ? random_resized_crop(full, random) : center_crop(full, transform);
    return region_of(view, transform.crop);
  };
  decode_image(file, name, choose, image);
  scale(image, view, transform.crop, transform.statistics, pixels);
  return image.warning;
}

}  // namespace cograd
