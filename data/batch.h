// Batches: of tensors, and on their way there from the threads that decode them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "engine/backend.h"

namespace cograd {

struct Batch {
  Tensor images;                      ///< f32 [B, C, H, W]
  Tensor labels;                      ///< i64 [B]
  std::vector<std::int64_t> indices;  ///< of the examples in the data set
};

/// Memory for one batch that the host writes: the tensors' own where the backend's memory is the
/// host's, else staging memory that is copied on Stream::transfer. Any thread may construct, fill
/// and destroy one that was not sent; send() and receive() belong to the thread that drives the
/// backend.
class HostBatch {
 public:
  /// `images` is [B, C, H, W]; `indices` has B elements. With a scale the host writes bytes(),
  /// which the backend makes pixels of, else pixels(). The scale must outlive this.
  HostBatch(const Shape& images, std::vector<std::int64_t> indices, Backend& backend,
            const ChannelStatistics* scale = nullptr);
  HostBatch(HostBatch&&) noexcept = default;
  /// Waits until nothing is being copied from or to the memory it gives back.
  ~HostBatch();

  const std::vector<std::int64_t>& indices() const { return indices_; }
  float* pixels();         ///< row-major [B, C, H, W]
  std::uint8_t* bytes();   ///< the same of bytes
  std::int64_t* labels();  ///< [B]
  /// Shrinks the batch to its first rows, which hold these examples: some could not be read.
  void keep(std::vector<std::int64_t> indices);

  /// Starts the copy to the device, if there is one to make; the host does not wait for it.
  void send();
  /// The tensors, once; sends them if that was not done. Work called for on Stream::compute from
  /// now on comes after the copy. To destroy this while the copy is running is to wait for it.
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
