// Tensor: shape, element type and layout over shared storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cograd/engine/dtype.h"
#include "cograd/engine/error.h"
#include "cograd/engine/shape.h"

namespace cograd {

class Backend;

/// Physical order of the elements. The logical order of an image tensor is always N, C, H, W; a
/// backend may keep it otherwise where that is faster, and only it reads such a tensor. In the
/// blocked layouts C is split into blocks of 8 or 16 that lie innermost, the last block padded with
/// zeros (oneDNN's nChw8c and nChw16c).
enum class Layout : std::uint8_t { row_major, channels_last, blocked8, blocked16 };

/// Elements of storage a tensor of this shape takes in this layout (blocked layouts pad C).
std::int64_t storage_numel(const Shape& shape, Layout layout);

/// A piece of a backend's memory, given back when the last tensor on it goes.
class Storage {
 public:
  Storage(Backend& backend, std::size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Backend& backend() const { return *backend_; }
  std::byte* data() const { return data_; }

 private:
  Backend* backend_;
  std::byte* data_;
};

/// A small value: copying it copies no elements, both copies see the same storage.
class Tensor {
 public:
  /// Undefined tensor: defined() is false.
  Tensor() = default;

  static Tensor empty(const Shape& shape, Dtype dtype, Backend& backend,
                      Layout layout = Layout::row_major);
  /// Has the shape, type, backend and layout of `x`.
  static Tensor empty_like(const Tensor& x) {
    return empty(x.shape(), x.dtype(), x.backend(), x.layout());
  }
  static Tensor zeros(const Shape& shape, Dtype dtype, Backend& backend);
  static Tensor full(const Shape& shape, double value, Dtype dtype, Backend& backend);
  /// Copies `values` (row-major host data, shape.numel() of them) to `backend`.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, Backend& backend);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Backend& backend) {
    return from(std::span<const T>(values), shape, backend);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t size(int axis) const { return shape_[axis]; }
  std::int64_t numel() const { return numel_; }
  Dtype dtype() const { return dtype_; }
  Layout layout() const { return layout_; }
  Backend& backend() const { return storage_->backend(); }
  /// True if this tensor is the only owner of its storage, whose memory may then hold a result.
  bool unique() const { return storage_.use_count() == 1; }

  /// Bytes of this tensor in its layout.
  std::size_t bytes() const {
    return static_cast<std::size_t>(storage_numel(shape_, layout_)) * size_of(dtype_);
  }
  std::byte* raw() const { return storage_->data() + offset_; }
  /// Elements in physical order, in the backend's memory. Throws DtypeError unless T fits.
  template <class T>
  T* data() {
    check_dtype(dtype_of<T>);
    return reinterpret_cast<T*>(raw());
  }
  template <class T>
  const T* data() const {
    check_dtype(dtype_of<T>);
    return reinterpret_cast<const T*>(raw());
  }

  /// Same storage, other shape of as many elements. The layout must be row-major.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, end) of the outermost axis, sharing storage; keeps the layout.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// Element `index` of the outermost axis, that axis dropped: t[i] in NumPy.
  Tensor operator[](std::int64_t index) const;

  /// This tensor in row-major order; itself if it is already.
  Tensor row_major() const;
  /// A row-major copy on its own storage.
  Tensor clone() const;
  /// This tensor on `backend` (row-major); itself if it is there already.
  Tensor to(Backend& backend) const;
  /// This tensor with its elements converted; itself if they are of that type.
  Tensor to(Dtype dtype) const;
  /// Row-major copy of the elements on the host. Throws DtypeError unless T fits.
  template <class T>
  std::vector<T> to_vector() const;
  /// The only element, converted. Throws ShapeError unless numel() is 1.
  double item() const;
  /// Overwrites the elements with those of `source` (same shape and dtype, any backend).
  void copy_from(const Tensor& source);

 private:
  void check_dtype(Dtype wanted) const {
    require<DtypeError>(wanted == dtype_, "[tensor] asked for {} elements of a {} tensor",
                        name_of(wanted), name_of(dtype_));
  }

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;  // bytes
  std::int64_t numel_ = 0;
  Shape shape_;
  Dtype dtype_ = Dtype::f32;
  Layout layout_ = Layout::row_major;
};

}  // namespace cograd
