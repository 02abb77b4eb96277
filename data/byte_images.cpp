#include "cograd/data/byte_images.h"

#include <algorithm>

#include "cograd/data/checksum.h"
#include "cograd/engine/error.h"

namespace cograd {

ByteImages::ByteImages(Content content) : content_(std::move(content)) {
  const auto channels = static_cast<std::size_t>(content_.image_shape[0]);
  scale_ = {std::vector<float>(channels, 0.0f), std::vector<float>(channels, 1.0f)};
  const auto pixels = static_cast<std::size_t>(content_.image_shape.numel());
  require<ShapeError>(content_.pixels.size() == pixels * content_.labels.size(),
                      "[{}] {} labels and {} bytes of images: expected {} for each of shape {}",
                      content_.name, content_.labels.size(), content_.pixels.size(), pixels,
                      content_.image_shape);
  for (std::size_t i = 0; i < content_.labels.size(); ++i) {
    require<FormatError>(content_.labels[i] < content_.classes,
                         "[{}] label {} of example {} is above {}: expected {} classes",
                         content_.name, content_.labels[i], i, content_.classes - 1,
                         content_.classes);
  }
}

std::int64_t ByteImages::label(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[{}] there is no example {} of {}",
                      content_.name, index, size());
  return content_.labels[static_cast<std::size_t>(index)];
}

const std::uint8_t* ByteImages::bytes_of(std::int64_t index) const {
  label(index);  // checks the index
  return content_.pixels.data() + index * content_.image_shape.numel();
}

void ByteImages::read(std::int64_t index, std::int64_t, float* pixels) const {
  const std::uint8_t* from = bytes_of(index);
  std::transform(from, from + content_.image_shape.numel(), pixels,
                 [](std::uint8_t v) { return static_cast<float>(v) / 255.0f; });
}

std::string ByteImages::fingerprint() const {
  const auto bytes = [](const std::vector<std::uint8_t>& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()), values.size());
  };
  return Checksum()
      .add(content_.image_shape.str())
      .add(bytes(content_.labels))
      .add(bytes(content_.pixels))
      .text();
}

void ByteImages::read_bytes(std::int64_t index, std::uint8_t* bytes) const {
  std::copy_n(bytes_of(index), content_.image_shape.numel(), bytes);
}

}  // namespace cograd
