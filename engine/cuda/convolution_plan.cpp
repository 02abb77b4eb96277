#include "engine/cuda/convolution_plan.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/cuda/choice.h"
#include "engine/cuda/context.h"
#include "engine/error.h"

namespace cograd::cuda {
namespace {

constexpr std::int64_t kWorkspaceLimit = std::int64_t{1} << 30;
constexpr std::size_t kCandidates = 12;
enum Id : std::int64_t { kX = 1, kW = 2, kY = 3 };

/// A descriptor of cuDNN's graph API.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnnBackendCreateDescriptor(type, &descriptor_), "describing a convolution");
  }
  ~Descriptor() {
    if (descriptor_ != nullptr) cudnnBackendDestroyDescriptor(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  const T* values, std::int64_t count = 1) {
    check(cudnnBackendSetAttribute(descriptor_, name, type, count, values),
          "describing a convolution");
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &value.descriptor_);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::int64_t value) {
    return set(name, CUDNN_TYPE_INT64, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::array<std::int64_t, 4>& values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), 4);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Pair& values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), 2);
  }
  cudnnStatus_t try_to_finish() { return cudnnBackendFinalize(descriptor_); }
  Descriptor finished() && {
    check(try_to_finish(), "describing a convolution");
    return std::move(*this);
  }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

cudnnDataType_t type_of(Dtype dtype) {
  return dtype == Dtype::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/// The largest of 16, 8, 4 and 2 that divides the address: slices of batches begin anywhere.
std::int64_t alignment_of(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return address % 16 == 0 ? 16 : address % 8 == 0 ? 8 : address % 4 == 0 ? 4 : 2;
}

/// Four axes in logical order, the second innermost in memory.
Descriptor tensor(Id id, const Shape& shape, Dtype dtype, std::int64_t alignment) {
  const cudnnDataType_t type = type_of(dtype);
  const std::array<std::int64_t, 4> extents{shape[0], shape[1], shape[2], shape[3]};
  const std::array<std::int64_t, 4> strides{shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3],
                                            shape[1]};
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, &type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, extents).set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{id});
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  return std::move(d).finished();
}

Descriptor convolution(const ConvGeometry& g) {
  const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &sums);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, &mode);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, g.padding);
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, g.padding);
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, g.dilation);
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, g.stride);
  return std::move(d).finished();
}

/// The attributes of the operation that computes a pass.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t convolution, x, w, y, alpha, beta;
};

OperationNames names_of(Convolution::Pass pass) {
  switch (pass) {
    case Convolution::Pass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Convolution::Pass::data_gradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Convolution::Pass::filter_gradient:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

using Alignments = std::array<std::int64_t, 3>;  // of x, w and y

/// The graph of one operation.
Descriptor graph_of(const Convolution& c, const Alignments& alignments) {
  const auto type = [&](Convolution::Pass writer) { return c.pass == writer ? c.out : c.in; };
  const Descriptor x = tensor(kX, c.x, type(Convolution::Pass::data_gradient), alignments[0]);
  const Descriptor w = tensor(kW, c.w, type(Convolution::Pass::filter_gradient), alignments[1]);
  const Descriptor y = tensor(kY, c.y, type(Convolution::Pass::forward), alignments[2]);
  const OperationNames names = names_of(c.pass);
  const float one = 1.0f, zero = 0.0f;
  Descriptor operation(names.type);
  operation.set(names.convolution, convolution(c.geometry));
  operation.set(names.x, x).set(names.w, w).set(names.y, y);
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, &one).set(names.beta, CUDNN_TYPE_FLOAT, &zero);
  const Descriptor done = std::move(operation).finished();
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  const cudnnHandle_t handle = Context::instance().dnn;
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, done);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle);
  return std::move(graph).finished();
}

/// Whether the arithmetic asked for rules an engine out.
bool allowed(const Descriptor& config, Dtype in) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.get();
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
        "asking for an engine");
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  check(cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
                                 notes.data()),
        "asking for an engine's arithmetic");
  const Arithmetic how = arithmetic();
  for (std::int64_t i = 0; i < count; ++i) {
    switch (notes[static_cast<std::size_t>(i)]) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        if (how.deterministic) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:  // for f32: rounded to TF32
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_FFT:
        if (in == Dtype::f32 && !how.tf32) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:  // to f16, whose range is too small
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
        return false;
      default:
        break;
    }
  }
  return true;
}

/// The engine configurations that cuDNN suggests for the graph, most promising first.
std::vector<Descriptor> suggestions(const Descriptor& graph, Dtype in) {
  std::vector<Descriptor> found;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
    if (heuristics.try_to_finish() != CUDNN_STATUS_SUCCESS) continue;
    std::vector<Descriptor> configs;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (std::size_t i = 0; i < kCandidates; ++i) {
      configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      raw.push_back(configs.back().get());
    }
    std::int64_t count = 0;
    if (cudnnBackendGetAttribute(
            heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
            static_cast<std::int64_t>(raw.size()), &count, raw.data()) != CUDNN_STATUS_SUCCESS) {
      continue;
    }
    for (std::int64_t i = 0; i < count && i < static_cast<std::int64_t>(configs.size()); ++i) {
      Descriptor& config = configs[static_cast<std::size_t>(i)];
      if (allowed(config, in)) found.push_back(std::move(config));
    }
  }
  return found;
}

std::string key_of(const Convolution& c, const Alignments& alignments) {
  const Arithmetic how = arithmetic();
  const ConvGeometry& g = c.geometry;
  return fmt::format(
      "convolution {} x{} w{} y{} {}->{} stride{}x{} padding{}x{} dilation{}x{} "
      "aligned{}/{}/{} tf32-{} fixed{}",
      static_cast<int>(c.pass), c.x, c.w, c.y, name_of(c.in), name_of(c.out), g.stride[0],
      g.stride[1], g.padding[0], g.padding[1], g.dilation[0], g.dilation[1], alignments[0],
      alignments[1], alignments[2], int{how.tf32}, int{how.deterministic});
}

}  // namespace

class ConvolutionPlan {
 public:
  /// Throws DeviceError when the engine cannot do it, or needs too much memory.
  explicit ConvolutionPlan(const Descriptor& config)
      : plan_(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    const cudnnHandle_t handle = Context::instance().dnn;
    plan_.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle);
    plan_.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    check(plan_.try_to_finish(), "planning a convolution");
    std::int64_t count = 0;
    check(cudnnBackendGetAttribute(plan_.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                   CUDNN_TYPE_INT64, 1, &count, &workspace_),
          "planning a convolution");
    require<DeviceError>(workspace_ <= kWorkspaceLimit,
                         "[cudnn] a plan needs {} bytes of workspace", workspace_);
  }

  void run(void* x, void* w, void* y, Backend& backend) const {
    const Tensor workspace =
        Tensor::empty({std::max<std::int64_t>(workspace_, 1)}, Dtype::u8, backend);
    const std::array<void*, 3> pointers{x, w, y};
    const std::array<std::int64_t, 3> ids{kX, kW, kY};
    void* memory = workspace.raw();
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.data(), 3);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids.data(), 3);
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &memory);
    const Descriptor ready = std::move(pack).finished();
    check(cudnnBackendExecute(Context::instance().dnn, plan_.get(), ready.get()), "convolving");
  }

 private:
  Descriptor plan_;
  std::int64_t workspace_ = 0;
};

const ConvolutionPlan* plan_for(const Convolution& c, void* x, void* w, void* y, Backend& backend) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<ConvolutionPlan>> plans;
  const Alignments alignments{alignment_of(x), alignment_of(w), alignment_of(y)};
  const std::string key = key_of(c, alignments);
  const std::lock_guard lock(mutex);
  if (const auto known = plans.find(key); known != plans.end()) return known->second.get();

  std::unique_ptr<ConvolutionPlan>& plan = plans[key];
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  try {
    graph = graph_of(c, alignments);
  } catch (const DeviceError&) {
    return nullptr;  // not a combination that cuDNN knows
  }
  const std::vector<Descriptor> configs = suggestions(graph, c.in);
  if (configs.empty()) return nullptr;
  std::vector<std::unique_ptr<ConvolutionPlan>> made(configs.size());
  try {
    const int choice = fastest(key, static_cast<int>(configs.size()), [&](int i) {
      auto& candidate = made[static_cast<std::size_t>(i)];
      if (candidate == nullptr) {
        candidate = std::make_unique<ConvolutionPlan>(configs[static_cast<std::size_t>(i)]);
      }
      candidate->run(x, w, y, backend);
    });
    plan = std::move(made[static_cast<std::size_t>(choice)]);
    if (plan == nullptr) {  // remembered from an earlier run
      plan = std::make_unique<ConvolutionPlan>(configs[static_cast<std::size_t>(choice)]);
    }
  } catch (const DeviceError&) {
    return nullptr;
  }
  return plan.get();
}

void execute(const ConvolutionPlan& plan, void* x, void* w, void* y, Backend& backend) {
  plan.run(x, w, y, backend);
}

}  // namespace cograd::cuda
