// A data set of which only the labels matter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cograd/data/byte_images.h"

namespace cograd::testing {

/// `size` images of one pixel, in classes 0, 1, ..., 0, 1, ...
inline DatasetPtr labelled_set(std::int64_t size, std::int64_t classes = 10,
                               std::vector<std::string> class_names = {}) {
  ByteImages::Content content{.name = "labelled set",
                              .image_shape = {1, 1, 1},
                              .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(size)),
                              .labels = {},
                              .classes = classes,
                              .class_names = std::move(class_names)};
  for (std::int64_t i = 0; i < size; ++i) {
    content.labels.push_back(static_cast<std::uint8_t>(i % classes));
  }
  return std::make_shared<ByteImages>(std::move(content));
}

}  // namespace cograd::testing
