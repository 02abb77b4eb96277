// oneDNN's two ways of describing a primitive, behind one: up to 2.x an operation descriptor is
// made first, from 3.0 on the primitive descriptor takes its arguments.
#pragma once

#include <dnnl.hpp>

namespace cograd::onednn {

#if DNNL_VERSION_MAJOR >= 3
using PoolingForward = dnnl::pooling_forward;
using PoolingBackward = dnnl::pooling_backward;
#else
using PoolingForward = dnnl::pooling_v2_forward;  // the one that takes a dilation, as 3.x does
using PoolingBackward = dnnl::pooling_v2_backward;
#endif

/// Scratch memory comes from our allocator, so that its statistics are the whole truth.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, args..., attributes());
#else
  return
      typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes(), engine);
#endif
}

/// A backward primitive, described with the forward one that it belongs to.
template <class Primitive, class Forward, class... Args>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine,
                                                     const Forward& forward, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, args..., forward, attributes());
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes(), engine,
                                            forward);
#endif
}

}  // namespace cograd::onednn
