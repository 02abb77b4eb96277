// Batches: as tensors, and as memory that the decoding threads fill.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/engine/backend.h"

namespace cograd {

struct Batch {
  Tensor images;                      ///< f32 [B, C, H, W]
  Tensor labels;                      ///< i64 [B]
  std::vector<std::int64_t> indices;  ///< of the examples in the data set
};

/// Memory of one batch that the host writes. On a CPU it is the tensors' memory; for a device it is
/// staging memory that is copied on Stream::transfer. Any thread may construct, fill and destroy a
/// batch that was not sent. Only the thread that drives the backend may call send() and receive().
class HostBatch {
 public:
  /// `images` is [B, C, H, W]; `indices` has B elements. Without a scale the host writes pixels().
  /// With one it writes bytes(), and the backend computes the pixels; the scale must outlive this.
  HostBatch(const Shape& images, std::vector<std::int64_t> indices, Backend& backend,
            const ChannelStatistics* scale = nullptr);
  HostBatch(HostBatch&&) noexcept = default;
  /// Waits until the copy from and to its memory is done.
  ~HostBatch();

  const std::vector<std::int64_t>& indices() const { return indices_; }
  float* pixels();         ///< row-major [B, C, H, W]
  std::uint8_t* bytes();   ///< row-major [B, C, H, W]
  std::int64_t* labels();  ///< [B]
  /// Shrinks the batch to its first rows, which hold these examples; the others could not be read.
  void keep(std::vector<std::int64_t> indices);

  /// Starts the copy to a device; the host does not wait for it. Does nothing on a CPU.
  void send();
  /// Returns the tensors; call it once. Sends them first if send() was not called. Later work on
  /// Stream::compute waits for the copy, and so does the destructor.
  Batch receive();

 private:
  struct Free {
    Allocator* allocator;
    void operator()(void* memory) const noexcept { allocator->deallocate(memory); }
  };

  Dtype dtype() const { return scale_ != nullptr ? Dtype::u8 : Dtype::f32; }
  void* raw_images();

  Backend* backend_;
  Shape shape_;
  std::int64_t capacity_;  // rows that there is memory for
  std::vector<std::int64_t> indices_;
  const ChannelStatistics* scale_;  // of bytes, or null
  Tensor images_, labels_;
  std::unique_ptr<void, Free> staging_;  // labels, then pixels or bytes; null on a CPU
  std::unique_ptr<Event> arrived_;       // null until sent
};

}  // namespace cograd
