#include "cograd/engine/cpu/onednn/primitive.h"

#include <array>

#include "cograd/engine/backend.h"
#include "cograd/engine/cpu/onednn/primitive_cache.h"

namespace cograd::onednn {
namespace {

using Tag = dnnl::memory::format_tag;

dnnl::stream& stream() {
  thread_local dnnl::stream s(cpu_engine());
  return s;
}

Tag tag_of(Layout layout) {
  switch (layout) {
    case Layout::row_major:
      return Tag::nchw;
    case Layout::channels_last:
      return Tag::nhwc;
    case Layout::blocked8:
      return Tag::nChw8c;
    case Layout::blocked16:
      return Tag::nChw16c;
  }
  return Tag::undef;
}

}  // namespace

dnnl::engine& cpu_engine() {
  static auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);  // outlives all statics
  return *engine;
}

bool uses(dnnl::cpu_isa isa) {
  const auto needed = static_cast<unsigned>(isa);  // sets of bits
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & needed) == needed;
}

dnnl::memory::dims dims_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

dnnl::memory::data_type type_of(Dtype dtype) {
  require<DtypeError>(dtype == Dtype::f32 || dtype == Dtype::bf16,
                      "[cpu] oneDNN computes in f32 and bf16 here, not {}", name_of(dtype));
  return dtype == Dtype::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

dnnl::memory::desc descriptor(const Shape& shape, Dtype dtype, Layout layout) {
  return {dims_of(shape), type_of(dtype), tag_of(layout)};
}

dnnl::memory::desc any_layout(const Shape& shape, Dtype dtype) {
  return {dims_of(shape), type_of(dtype), Tag::any};
}

std::optional<Layout> layout_of(const dnnl::memory::desc& md, const Shape& shape, Dtype dtype) {
  // Row-major last: with one channel or one pixel several of them describe the same order, and the
  // one that oneDNN's neighbours chose should travel on.
  for (Layout layout :
       {Layout::blocked16, Layout::blocked8, Layout::channels_last, Layout::row_major}) {
    if (md == descriptor(shape, dtype, layout)) return layout;
  }
  return std::nullopt;
}

void execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
             std::unordered_map<int, dnnl::memory> arguments) {
  Tensor scratch;
  if (const auto bytes = static_cast<std::int64_t>(scratchpad.get_size()); bytes > 0) {
    scratch = Tensor::empty({bytes}, Dtype::u8, cpu_backend());
    arguments[DNNL_ARG_SCRATCHPAD] = memory(scratchpad, scratch.raw());
  }
  primitive.execute(stream(), arguments);
  stream().wait();
}

void reorder(const dnnl::memory& from, dnnl::memory& to) {
  // oneDNN caches the primitive; looking it up takes little of the time of moving the data.
  dnnl::memory source = from;
  const dnnl::reorder::primitive_desc pd(source, to, attributes());
  execute(dnnl::reorder(pd), pd.scratchpad_desc(), {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, to}});
}

}  // namespace cograd::onednn
