// Data sets: indexable collections of labelled images.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/shape.h"

namespace cograd {

/// One labelled image. Pixels are row-major [C, H, W], already scaled as the
/// set's transforms say.
struct Example {
  std::vector<float> pixels;
  std::int64_t label = 0;
};

/// get() may be called from several threads at once.
class Dataset {
public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t classes() const = 0;
  /// [C, H, W] of every image.
  virtual Shape image_shape() const = 0;
  /// Throws ValueError unless 0 <= index < size().
  virtual Example get(std::int64_t index) const = 0;
  /// The label alone, without decoding the image.
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// "mnist train".
  virtual std::string name() const = 0;
};

using DatasetPtr = std::shared_ptr<const Dataset>;

} // namespace cograd
