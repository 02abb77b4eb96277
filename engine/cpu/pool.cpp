// Pooling by oneDNN, in the layout the input comes in.
#include <algorithm>

#include "cograd/engine/cpu/activations.h"
#include "cograd/engine/cpu/cpu_backend.h"
#include "cograd/engine/cpu/onednn/primitive.h"
#include "cograd/engine/cpu/onednn/primitive_cache.h"

namespace cograd {
namespace {

using dnnl::memory;
using onednn::PoolingBackward;
using onednn::PoolingForward;
using onednn::PrimitiveCache;
using onednn::PrimitiveKey;

struct Pooling {
  dnnl::primitive primitive;
  memory::desc scratchpad, workspace;
};

/// One pooling in oneDNN's terms.
struct Description {
  Shape x, y;
  PoolGeometry geometry;
  dnnl::algorithm algorithm;
  Dtype dtype;
  Layout layout;

  Description(const Shape& x_shape, const PoolGeometry& g, bool max, Dtype t, Layout l)
      : x(x_shape), y(g.output(x_shape)), geometry(g), dtype(t), layout(l) {
    algorithm = max                   ? dnnl::algorithm::pooling_max
                : g.count_include_pad ? dnnl::algorithm::pooling_avg_include_padding
                                      : dnnl::algorithm::pooling_avg_exclude_padding;
  }

  memory::dims kernel() const { return {geometry.kernel[0], geometry.kernel[1]}; }
  memory::dims strides() const { return {geometry.stride[0], geometry.stride[1]}; }
  memory::dims padding() const { return {geometry.padding[0], geometry.padding[1]}; }
  /// Up to where the last window reaches.
  memory::dims padding_end() const { return {end(0), end(1)}; }
  /// In ceil mode a window may hang over even the padding; PyTorch's divisor then leaves out what
  /// hangs over, and oneDNN's does not.
  bool hangs_over() const { return end(0) > geometry.padding[0] || end(1) > geometry.padding[1]; }

  PoolingForward::primitive_desc forward() const {
    return onednn::describe<PoolingForward>(onednn::cpu_engine(), dnnl::prop_kind::forward_training,
                                            algorithm, onednn::descriptor(x, dtype, layout),
                                            onednn::descriptor(y, dtype, layout), strides(),
                                            kernel(), memory::dims{0, 0}, padding(), padding_end());
  }
  PoolingBackward::primitive_desc backward() const {
    return onednn::describe_backward<PoolingBackward>(
        onednn::cpu_engine(), forward(), algorithm, onednn::descriptor(x, dtype, layout),
        onednn::descriptor(y, dtype, layout), strides(), kernel(), memory::dims{0, 0}, padding(),
        padding_end());
  }

  std::shared_ptr<const Pooling> primitive(PrimitiveKey::Pass pass) const {
    static PrimitiveCache<Pooling> cache;
    const auto key = PrimitiveKey(pass).add(x).add(geometry).add(dtype).add(layout).add(
        static_cast<std::int64_t>(algorithm));
    return cache.get(key, [&] {
      if (pass == PrimitiveKey::Pass::pool) {
        const auto pd = forward();
        return Pooling{PoolingForward(pd), pd.scratchpad_desc(), pd.workspace_desc()};
      }
      const auto pd = backward();
      return Pooling{PoolingBackward(pd), pd.scratchpad_desc(), pd.workspace_desc()};
    });
  }

 private:
  std::int64_t end(int axis) const {
    const auto a = static_cast<std::size_t>(axis);
    return (y[2 + axis] - 1) * geometry.stride[a] + geometry.kernel[a] - x[2 + axis] -
           geometry.padding[a];
  }
};

/// oneDNN pools bf16 only where there is AVX-512.
bool pools(Dtype dtype) { return dtype != Dtype::bf16 || onednn::uses(dnnl::cpu_isa::avx512_core); }

/// Average pooling to `output` as a plain one, where its cells are all of one size.
bool divides(const Shape& x, Pair output) { return x[2] % output[0] == 0 && x[3] % output[1] == 0; }
PoolGeometry cells(const Shape& x, Pair output) {
  const Pair cell{x[2] / output[0], x[3] / output[1]};
  return {.kernel = cell, .stride = cell};
}

}  // namespace

/// `saved` is oneDNN's workspace: where in its window each maximum was, one byte or int each, in
/// the layout of y.
MaxPoolResult CpuBackend::max_pool(const Tensor& x, const PoolGeometry& geometry) {
  if (!pools(x.dtype())) {
    MaxPoolResult result = max_pool(cast(x, Dtype::f32), geometry);
    result.y = cast(result.y, x.dtype());
    return result;
  }
  return onednn::translated("max_pool", x.shape(), [&] {
    const Description d(x.shape(), geometry, true, x.dtype(), x.layout());
    const auto pool = d.primitive(PrimitiveKey::Pass::pool);
    const auto elements = static_cast<std::size_t>(storage_numel(d.y, x.layout()));
    const bool bytes = pool->workspace.get_size() <= elements;
    MaxPoolResult result{Tensor::empty(d.y, x.dtype(), *this, x.layout()),
                         Tensor::empty(d.y, bytes ? Dtype::u8 : Dtype::i32, *this, x.layout())};
    require<Error>(result.saved.bytes() >= pool->workspace.get_size(),
                   "[max_pool] oneDNN asks for a workspace of {} bytes: expected {}",
                   pool->workspace.get_size(), result.saved.bytes());
    onednn::execute(pool->primitive, pool->scratchpad,
                    {{DNNL_ARG_SRC, onednn::memory(x)},
                     {DNNL_ARG_DST, onednn::memory(result.y)},
                     {DNNL_ARG_WORKSPACE, onednn::memory(pool->workspace, result.saved.raw())}});
    return result;
  });
}

Tensor CpuBackend::max_pool_backward(const Tensor& dy, const Tensor& saved, const Shape& x_shape,
                                     const PoolGeometry& geometry) {
  if (!pools(dy.dtype())) {
    return cpu::in_f32(
        dy, [&](const Tensor& same) { return max_pool_backward(same, saved, x_shape, geometry); });
  }
  return onednn::translated("max_pool", x_shape, [&] {
    const Description d(x_shape, geometry, true, dy.dtype(), saved.layout());
    const auto pool = d.primitive(PrimitiveKey::Pass::pool_backward);
    const Tensor gradient = cpu::reordered(dy, saved.layout());
    Tensor dx = Tensor::empty(x_shape, dy.dtype(), *this, saved.layout());
    onednn::execute(pool->primitive, pool->scratchpad,
                    {{DNNL_ARG_DIFF_DST, onednn::memory(gradient)},
                     {DNNL_ARG_WORKSPACE, onednn::memory(pool->workspace, saved.raw())},
                     {DNNL_ARG_DIFF_SRC, onednn::memory(dx)}});
    return dx;
  });
}

Tensor CpuBackend::avg_pool(const Tensor& x, const PoolGeometry& geometry) {
  const Description d(x.shape(), geometry, false, x.dtype(), x.layout());
  if (geometry.count_include_pad && d.hangs_over()) {
    return cpu::in_f32(x.row_major(), [&](const Tensor& plain) {
      return ReferenceBackend::avg_pool(plain, geometry);
    });
  }
  if (!pools(x.dtype())) {
    return cpu::in_f32(x, [&](const Tensor& same) { return avg_pool(same, geometry); });
  }
  return onednn::translated("avg_pool", x.shape(), [&] {
    const auto pool = d.primitive(PrimitiveKey::Pass::pool);
    Tensor y = Tensor::empty(d.y, x.dtype(), *this, x.layout());
    onednn::execute(pool->primitive, pool->scratchpad,
                    {{DNNL_ARG_SRC, onednn::memory(x)}, {DNNL_ARG_DST, onednn::memory(y)}});
    return y;
  });
}

Tensor CpuBackend::avg_pool_backward(const Tensor& dy, const Shape& x_shape,
                                     const PoolGeometry& geometry) {
  const Description d(x_shape, geometry, false, dy.dtype(), dy.layout());
  if (geometry.count_include_pad && d.hangs_over()) {
    return cpu::in_f32(dy.row_major(), [&](const Tensor& plain) {
      return ReferenceBackend::avg_pool_backward(plain, x_shape, geometry);
    });
  }
  if (!pools(dy.dtype())) {
    return cpu::in_f32(
        dy, [&](const Tensor& same) { return avg_pool_backward(same, x_shape, geometry); });
  }
  return onednn::translated("avg_pool", x_shape, [&] {
    const auto pool = d.primitive(PrimitiveKey::Pass::pool_backward);
    Tensor dx = Tensor::empty(x_shape, dy.dtype(), *this, dy.layout());
    onednn::execute(
        pool->primitive, pool->scratchpad,
        {{DNNL_ARG_DIFF_DST, onednn::memory(dy)}, {DNNL_ARG_DIFF_SRC, onednn::memory(dx)}});
    return dx;
  });
}

Tensor CpuBackend::adaptive_avg_pool(const Tensor& x, Pair output) {
  if (divides(x.shape(), output)) return avg_pool(x, cells(x.shape(), output));
  return cpu::in_f32(x.row_major(), [&](const Tensor& plain) {
    return ReferenceBackend::adaptive_avg_pool(plain, output);
  });
}

Tensor CpuBackend::adaptive_avg_pool_backward(const Tensor& dy, const Shape& x_shape) {
  const Pair output{dy.size(2), dy.size(3)};
  if (divides(x_shape, output)) return avg_pool_backward(dy, x_shape, cells(x_shape, output));
  return cpu::in_f32(dy.row_major(), [&](const Tensor& plain) {
    return ReferenceBackend::adaptive_avg_pool_backward(plain, x_shape);
  });
}

}  // namespace cograd
