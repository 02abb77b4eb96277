#include "data/byte_images.h"

#include <algorithm>

#include "engine/error.h"

namespace cograd {

ByteImages::ByteImages(Content content) : content_(std::move(content)) {
  const auto pixels = static_cast<std::size_t>(content_.image_shape.numel());
  require<ShapeError>(content_.pixels.size() == pixels * content_.labels.size(),
                      "[{}] {} labels and {} bytes of images: expected {} for each of shape {}",
                      content_.name, content_.labels.size(), content_.pixels.size(), pixels,
                      content_.image_shape.str());
  for (std::size_t i = 0; i < content_.labels.size(); ++i) {
    require<FormatError>(content_.labels[i] < content_.classes,
                         "[{}] label {} of example {} is above {}", content_.name,
                         content_.labels[i], i, content_.classes - 1);
  }
}

std::int64_t ByteImages::label(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[{}] there is no example {} of {}",
                      content_.name, index, size());
  return content_.labels[static_cast<std::size_t>(index)];
}

void ByteImages::read(std::int64_t index, std::int64_t, float* pixels) const {
  label(index);  // checks the index
  const std::int64_t count = content_.image_shape.numel();
  const std::uint8_t* from = content_.pixels.data() + index * count;
  std::transform(from, from + count, pixels,
                 [](std::uint8_t v) { return static_cast<float>(v) / 255.0f; });
}

}  // namespace cograd
