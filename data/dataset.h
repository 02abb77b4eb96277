// Data sets: indexable collections of labelled images.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/shape.h"

namespace cograd {

enum class Split : std::uint8_t { train, test };

/// One labelled image. Pixels are row-major [C, H, W], scaled as the set's transforms say.
struct Example {
  std::vector<float> pixels;
  std::int64_t label = 0;
};

/// Mean and standard deviation per channel, of pixels in [0, 1].
struct ChannelStatistics {
  std::vector<float> mean, std;
};

/// All members may be called from several threads at once, and throw ValueError for an index
/// outside [0, size()).
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t classes() const = 0;
  /// [C, H, W] of every image.
  virtual Shape image_shape() const = 0;
  /// "mnist train".
  virtual std::string name() const = 0;
  /// The names of the classes, in order; empty if they have numbers only.
  virtual std::vector<std::string> class_names() const { return {}; }
  /// Known without decoding the image.
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// Writes the pixels of example `index` to `pixels`, room for image_shape().numel() of them.
  /// Random augmentation is a function of (seed of the set, epoch, index); without it the epoch
  /// plays no part. Throws ImageError for a broken image file.
  virtual void read(std::int64_t index, std::int64_t epoch, float* pixels) const = 0;
  /// For a set of bytes, read() is (byte / 255 - mean) / std of read_bytes(): a device may compute
  /// it, so that a quarter of the data travels. Null for other sets.
  virtual const ChannelStatistics* byte_scale() const { return nullptr; }
  /// Writes the bytes [C, H, W] of example `index`. Throws ValueError for other sets.
  virtual void read_bytes(std::int64_t /* index */, std::uint8_t* /* bytes */) const {
    throw ValueError(fmt::format("[{}] is not a set of bytes", name()));
  }

  /// A checksum that differs between sets of different examples. It covers the labels in order and,
  /// where reading them is cheap, the images; for image files, their names and sizes.
  virtual std::string fingerprint() const;
  /// Notes on how the set was read, such as files that were left out: a line each.
  virtual std::vector<std::string> notes() const { return {}; }
  /// The opened set from which this one was cut, and the index there of example `index`. A set that
  /// was not cut is its own whole.
  virtual const Dataset& whole() const { return *this; }
  virtual std::int64_t whole_index(std::int64_t index) const { return index; }

  Example get(std::int64_t index, std::int64_t epoch = 0) const {
    Example example{std::vector<float>(static_cast<std::size_t>(image_shape().numel())),
                    label(index)};
    read(index, epoch, example.pixels.data());
    return example;
  }
};

using DatasetPtr = std::shared_ptr<const Dataset>;

}  // namespace cograd
