#include "cograd/data/batch.h"

#include <utility>

namespace cograd {

HostBatch::HostBatch(const Shape& images, std::vector<std::int64_t> indices, Backend& backend,
                     const ChannelStatistics* scale)
    : backend_(&backend),
      shape_(images),
      capacity_(images[0]),
      indices_(std::move(indices)),
      scale_(scale),
      staging_(nullptr, {}) {
  if (backend.device().type == DeviceType::cpu) {
    images_ = Tensor::empty(shape_, dtype(), backend);
    labels_ = Tensor::empty({shape_[0]}, Dtype::i64, backend);
  } else {
    const std::size_t bytes = indices_.size() * sizeof(std::int64_t) +
                              static_cast<std::size_t>(shape_.numel()) * size_of(dtype());
    Allocator& staging = backend.staging_allocator();
    staging_ = {staging.allocate(bytes), Free{&staging}};
  }
}

HostBatch::~HostBatch() {
  if (!arrived_) return;
  try {
    arrived_->wait();
  } catch (...) {  // the device has failed: its next use will throw
  }
}

std::int64_t* HostBatch::labels() {
  return staging_ ? static_cast<std::int64_t*>(staging_.get()) : labels_.data<std::int64_t>();
}

void* HostBatch::raw_images() {
  return staging_ ? static_cast<void*>(labels() + capacity_) : images_.raw();
}

float* HostBatch::pixels() { return static_cast<float*>(raw_images()); }
std::uint8_t* HostBatch::bytes() { return static_cast<std::uint8_t*>(raw_images()); }

void HostBatch::keep(std::vector<std::int64_t> indices) {
  indices_ = std::move(indices);
  const auto rows = std::ssize(indices_);
  shape_ = shape_.inner().prepended(rows);
  if (staging_) return;
  images_ = images_.rows(0, rows);
  labels_ = labels_.rows(0, rows);
}

void HostBatch::send() {
  if (!staging_ || arrived_) return;
  images_ = Tensor::empty(shape_, dtype(), *backend_);
  labels_ = Tensor::empty({shape_[0]}, Dtype::i64, *backend_);
  // The allocator may have given us memory that kernels under way still read.
  backend_->wait(Stream::transfer, *backend_->record(Stream::compute));
  const auto copy = [this](Tensor& to, const void* from) {
    backend_->copy_bytes(to.raw(), from, to.bytes(), CopyDirection::from_host, Stream::transfer);
  };
  copy(images_, raw_images());
  copy(labels_, labels());
  arrived_ = backend_->record(Stream::transfer);
}

Batch HostBatch::receive() {
  send();
  if (arrived_) backend_->wait(Stream::compute, *arrived_);
  if (scale_ != nullptr) images_ = backend_->normalize_bytes(images_, scale_->mean, scale_->std);
  return {std::move(images_), std::move(labels_), std::move(indices_)};
}

}  // namespace cograd
