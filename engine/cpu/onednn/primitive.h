// Running oneDNN primitives on tensors.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cograd/engine/cpu/onednn/descriptors.h"
#include "cograd/engine/tensor.h"

namespace cograd::onednn {

dnnl::engine& cpu_engine();
/// True if oneDNN uses this instruction set on this processor.
bool uses(dnnl::cpu_isa isa);

dnnl::memory::dims dims_of(const Shape& shape);
dnnl::memory::data_type type_of(Dtype dtype);
/// Descriptor of a tensor of this shape, type and layout.
dnnl::memory::desc descriptor(const Shape& shape, Dtype dtype, Layout layout);
inline dnnl::memory::desc descriptor(const Tensor& x) {
  return descriptor(x.shape(), x.dtype(), x.layout());
}
/// Descriptor that leaves the layout to oneDNN.
dnnl::memory::desc any_layout(const Shape& shape, Dtype dtype);
/// The Layout that `md` describes, if it is one of ours.
std::optional<Layout> layout_of(const dnnl::memory::desc& md, const Shape& shape, Dtype dtype);

inline dnnl::memory memory(const dnnl::memory::desc& md, const void* data) {
  return {md, cpu_engine(), const_cast<void*>(data)};
}
inline dnnl::memory memory(const Tensor& x) { return memory(descriptor(x), x.raw()); }

/// Runs a primitive; `scratchpad` is what its descriptor asks for.
void execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
             std::unordered_map<int, dnnl::memory> arguments);

/// Copies `from` to `to` between any two formats of the same tensor.
void reorder(const dnnl::memory& from, dnnl::memory& to);

/// Calls f() and turns oneDNN's own exceptions into an Error that names the kernel and its input.
template <class F>
auto translated(std::string_view kernel, const Shape& shape, F&& f) {
  try {
    return f();
  } catch (const dnnl::error& e) {
    throw Error(fmt::format("[{}] oneDNN failed on an input of {}: {}", kernel, shape, e.what()));
  }
}

}  // namespace cograd::onednn
