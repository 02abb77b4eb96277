// Data sets that stay in memory, a byte per value.
#pragma once

#include "cograd/data/dataset.h"

namespace cograd {

/// Images as bytes, read as byte / 255.
class ByteImages final : public Dataset {
 public:
  struct Content {
    std::string name;
    Shape image_shape;                 ///< [C, H, W]
    std::vector<std::uint8_t> pixels;  ///< [N, C, H, W]
    std::vector<std::uint8_t> labels;  ///< [N]
    std::int64_t classes = 10;
    std::vector<std::string> class_names{}, notes{};
  };
  /// Throws FormatError for a label that is not a class, ShapeError if the numbers do not fit.
  explicit ByteImages(Content content);

  std::int64_t size() const override { return std::ssize(content_.labels); }
  std::int64_t classes() const override { return content_.classes; }
  Shape image_shape() const override { return content_.image_shape; }
  std::string name() const override { return content_.name; }
  std::vector<std::string> class_names() const override { return content_.class_names; }
  std::vector<std::string> notes() const override { return content_.notes; }
  std::int64_t label(std::int64_t index) const override;
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override;
  /// Covers the pixels, too.
  std::string fingerprint() const override;
  const ChannelStatistics* byte_scale() const override { return &scale_; }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override;

 private:
  const std::uint8_t* bytes_of(std::int64_t index) const;

  Content content_;
  ChannelStatistics scale_;  // 0 and 1
};

}  // namespace cograd
