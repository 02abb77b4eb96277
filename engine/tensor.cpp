#include "cograd/engine/tensor.h"

#include "cograd/engine/backend.h"

namespace cograd {

std::int64_t storage_numel(const Shape& shape, Layout layout) {
  const std::int64_t block = layout == Layout::blocked16 ? 16 : layout == Layout::blocked8 ? 8 : 1;
  if (block == 1) return shape.numel();
  const std::int64_t channels = (shape[1] + block - 1) / block * block;
  return shape[0] * channels * shape[2] * shape[3];
}

Storage::Storage(Backend& backend, std::size_t bytes)
    : backend_(&backend), data_(static_cast<std::byte*>(backend.allocator().allocate(bytes))) {}

Storage::~Storage() { backend_->allocator().deallocate(data_); }

Tensor Tensor::empty(const Shape& shape, Dtype dtype, Backend& backend, Layout layout) {
  require<ShapeError>(layout == Layout::row_major || shape.rank() == 4,
                      "[tensor] only 4-axis tensors have image layouts, not {}", shape);
  Tensor t;
  t.shape_ = shape;
  t.numel_ = shape.numel();
  t.dtype_ = dtype;
  t.layout_ = layout;
  t.storage_ = std::make_shared<Storage>(
      backend, static_cast<std::size_t>(storage_numel(shape, layout)) * size_of(dtype));
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype, Backend& backend) {
  Tensor t = empty(shape, dtype, backend);
  backend.fill(t, value);
  return t;
}

Tensor Tensor::zeros(const Shape& shape, Dtype dtype, Backend& backend) {
  return full(shape, 0.0, dtype, backend);
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Backend& backend) {
  require<ShapeError>(static_cast<std::int64_t>(values.size()) == shape.numel(),
                      "[tensor] {} values do not fill shape {}", values.size(), shape);
  Tensor t = empty(shape, dtype_of<T>, backend);
  backend.copy_bytes(t.raw(), values.data(), values.size_bytes(), CopyDirection::from_host,
                     Stream::compute);
  backend.synchronize();  // `values` may go away as soon as we return
  return t;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  check_dtype(dtype_of<T>);
  const Tensor source = row_major();
  std::vector<T> values(static_cast<std::size_t>(numel_));
  backend().copy_bytes(values.data(), source.raw(), values.size() * sizeof(T),
                       CopyDirection::to_host, Stream::compute);
  backend().synchronize();
  return values;
}

#define COGRAD_INSTANTIATE(T)                                                  \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&, Backend&); \
  template std::vector<T> Tensor::to_vector<T>() const;
COGRAD_INSTANTIATE(float)
COGRAD_INSTANTIATE(double)
COGRAD_INSTANTIATE(std::uint16_t)
COGRAD_INSTANTIATE(std::int32_t)
COGRAD_INSTANTIATE(std::int64_t)
COGRAD_INSTANTIATE(std::uint8_t)
#undef COGRAD_INSTANTIATE

Tensor Tensor::reshape(const Shape& shape) const {
  require<ShapeError>(shape.numel() == numel_, "[reshape] {} does not hold as many elements as {}",
                      shape, shape_);
  require<ShapeError>(layout_ == Layout::row_major,
                      "[reshape] the tensor must be row-major: call row_major() first");
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  require<ShapeError>(shape_.rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0],
                      "[rows] rows {} to {} are not inside {}", begin, end, shape_);
  Tensor t = *this;
  if (shape_[0] > 0)
    t.offset_ += static_cast<std::size_t>(begin) * (bytes() / static_cast<std::size_t>(shape_[0]));
  t.shape_ = shape_.with_outer(end - begin);
  t.numel_ = t.shape_.numel();
  return t;
}

Tensor Tensor::operator[](std::int64_t index) const {
  Tensor t = rows(index, index + 1);
  return t.reshape(shape_.inner());
}

Tensor Tensor::row_major() const {
  return layout_ == Layout::row_major ? *this : backend().to_row_major(*this);
}

Tensor Tensor::clone() const {
  const Tensor source = row_major();
  Tensor t = empty(shape_, dtype_, backend());
  backend().copy_bytes(t.raw(), source.raw(), t.bytes(), CopyDirection::on_device, Stream::compute);
  return t;
}

Tensor Tensor::to(Backend& target) const {
  if (&backend() == &target) return *this;
  Tensor t = empty(shape_, dtype_, target);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::to(Dtype dtype) const {
  return dtype == dtype_ ? *this : backend().cast(row_major(), dtype);
}

double Tensor::item() const {
  require<ShapeError>(numel_ == 1, "[item] expected one element, got shape {}", shape_);
  return to(Dtype::f64).to_vector<double>()[0];
}

void Tensor::copy_from(const Tensor& source) {
  require<ShapeError>(source.shape() == shape_, "[copy] shape {} does not fit into {}",
                      source.shape(), shape_);
  require<DtypeError>(source.dtype() == dtype_, "[copy] {} elements do not fit into a {} tensor",
                      name_of(source.dtype()), name_of(dtype_));
  require<ShapeError>(layout_ == Layout::row_major, "[copy] the target must be row-major");
  const Tensor plain = source.row_major();
  const bool source_on_host = plain.backend().device().type == DeviceType::cpu;
  const bool target_on_host = backend().device().type == DeviceType::cpu;
  require<DeviceError>(source_on_host || target_on_host || &plain.backend() == &backend(),
                       "[copy] cannot copy from {} to {} directly: go through the host",
                       plain.backend().device().str(), backend().device().str());
  // The backend of the device side does the copy: only it knows its memory.
  Backend& mover = source_on_host ? backend() : plain.backend();
  const auto direction = source_on_host   ? CopyDirection::from_host
                         : target_on_host ? CopyDirection::to_host
                                          : CopyDirection::on_device;
  mover.copy_bytes(raw(), plain.raw(), bytes(), direction, Stream::compute);
  if (direction != CopyDirection::on_device) mover.synchronize();
}

}  // namespace cograd
