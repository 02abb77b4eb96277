// Image tensors as blocks of 8 or 16 neighbouring channels, which the vector loops work on.
#pragma once

#include <vector>

#include "cograd/engine/cpu/batch_norm_kernels.h"
#include "cograd/engine/groups.h"
#include "cograd/engine/tensor.h"
#include "cograd/engine/threads.h"

namespace cograd::cpu {

/// Blocks of neighbouring channels in an image tensor.
struct Blocks {
  std::int64_t images, channels;
  std::int64_t count = 0;  // of blocks per image
  ChannelBlock block;
  std::int64_t image_apart = 0, block_apart = 0;  // elements from one to the next

  /// Of x as it comes from in_blocks().
  explicit Blocks(const Tensor& x)
      : images(x.size(0)),
        channels(x.size(1)),
        block{x.size(2) * x.size(3), x.layout() == Layout::blocked8 ? 8 : 16, 0} {
    const bool last = x.layout() == Layout::channels_last;
    count = (channels + block.lanes - 1) / block.lanes;
    block.stride = last ? channels : block.lanes;
    block_apart = last ? block.lanes : block.lanes * block.pixels;
    image_apart = last ? channels * block.pixels : count * block_apart;
  }

  std::int64_t offset(std::int64_t image, std::int64_t b) const {
    return image * image_apart + b * block_apart;
  }

  /// body(image, block), on all threads.
  template <class Body>
  void for_each(const Body& body) const {
    parallel_ranges(images * count, images * channels * block.pixels > kThreadBlock,
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) body(i / count, i % count);
                    });
  }
};

/// Two sums per channel of each image, [N][blocks][lanes]: added up in the order of the images, so
/// that no result depends on the number of threads.
struct PartialSums {
  Blocks blocks;
  std::vector<float> first, second;

  explicit PartialSums(const Blocks& b)
      : blocks(b),
        first(static_cast<std::size_t>(b.images * b.count * b.block.lanes)),
        second(first.size()) {}
  float* first_of(std::int64_t image, std::int64_t b) { return &first[index(image, b)]; }
  float* second_of(std::int64_t image, std::int64_t b) { return &second[index(image, b)]; }

  /// visit(first, second) for channel c of the images in `r`.
  template <class Visit>
  void for_channel(RowRange r, std::int64_t c, const Visit& visit) const {
    for (std::int64_t image = r.begin; image < r.end; ++image) {
      const std::size_t i = index(image, 0) + static_cast<std::size_t>(c);
      visit(static_cast<double>(first[i]), static_cast<double>(second[i]));
    }
  }

 private:
  std::size_t index(std::int64_t image, std::int64_t b) const {
    return static_cast<std::size_t>((image * blocks.count + b) * blocks.block.lanes);
  }
};

}  // namespace cograd::cpu
