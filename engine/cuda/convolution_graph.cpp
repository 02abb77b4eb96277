#include "cograd/engine/cuda/convolution_graph.h"

#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

constexpr std::size_t kCandidates = 12;  // of each kind of suggestions

cudnnDataType_t type_of(Dtype dtype) {
  return dtype == Dtype::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/// Four axes in logical order, the second innermost in memory.
Descriptor tensor(TensorId id, const Shape& shape, Dtype dtype, std::int64_t alignment) {
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
    case Convolution::Pass::input_gradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Convolution::Pass::weight_gradient:
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

/// The graph of one operation.
Descriptor graph_of(const Convolution& c, const Alignments& alignments, const PlanTarget& target) {
  const OperationNames names = names_of(c.pass);
  const float one = 1.0f, zero = 0.0f;
  Descriptor operation(names.type);
  operation.set(names.convolution, convolution(c.geometry));
  operation.set(names.x, tensor(kX, c.x, c.dtype, alignments[0]));
  operation.set(names.w, tensor(kW, c.w, c.dtype, alignments[1]));
  operation.set(names.y, tensor(kY, c.y, c.dtype, alignments[2]));
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, &one).set(names.beta, CUDNN_TYPE_FLOAT, &zero);
  const Descriptor done = std::move(operation).finished();
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, done);
  if (target.handle != nullptr) {
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &target.handle);
  }
  return std::move(graph).finished();
}

/// True if the requested arithmetic excludes an engine.
bool allowed(const Descriptor& config, Dtype dtype, Arithmetic how) {
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
  for (std::int64_t i = 0; i < count; ++i) {
    switch (notes[static_cast<std::size_t>(i)]) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        if (how.deterministic) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:  // for f32: rounded to TF32
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
      case CUDNN_NUMERICAL_NOTE_FFT:
        if (dtype == Dtype::f32 && !how.tf32) return false;
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

/// Adds what cuDNN suggests in one of its ways.
void add_suggestions(const Descriptor& graph, cudnnBackendHeurMode_t mode, const PlanTarget& target,
                     std::vector<Descriptor>& found) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
#if CUDNN_VERSION >= 90800
  if (target.described != nullptr) {
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.described);
  }
#endif
  if (heuristics.try_to_finish() != CUDNN_STATUS_SUCCESS) return;
  std::vector<Descriptor> configs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::size_t i = 0; i < kCandidates; ++i) {
    configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(configs.back().get());
  }
  std::int64_t count = 0;
  const cudnnStatus_t status = cudnnBackendGetAttribute(
      heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
      static_cast<std::int64_t>(raw.size()), &count, raw.data());
  if (status != CUDNN_STATUS_SUCCESS) return;
  for (std::int64_t i = 0; i < count && i < static_cast<std::int64_t>(configs.size()); ++i) {
    found.push_back(std::move(configs[static_cast<std::size_t>(i)]));
  }
}

}  // namespace

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &descriptor_), "describing a convolution");
}

Descriptor::~Descriptor() {
  if (descriptor_ != nullptr) cudnnBackendDestroyDescriptor(descriptor_);
}

Suggestions suggestions(const Convolution& convolution, const Alignments& alignments,
                        const PlanTarget& target, Arithmetic how) {
  Suggestions found;
  try {
    const Descriptor graph = graph_of(convolution, alignments, target);
    const auto add = [&](cudnnBackendHeurMode_t mode) {
      add_suggestions(graph, mode, target, found.configs);
      std::erase_if(found.configs, [&](const Descriptor& config) {
        return !allowed(config, convolution.dtype, how);
      });
    };
    add(CUDNN_HEUR_MODE_A);
    found.promising = found.configs.size();
    add(CUDNN_HEUR_MODE_FALLBACK);
  } catch (const DeviceError&) {
    return {};  // not a combination that cuDNN knows
  }
  return found;
}

Descriptor make_plan(const Descriptor& config, const PlanTarget& target) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (target.handle != nullptr) {
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &target.handle);
  }
#if CUDNN_VERSION >= 90800
  if (target.described != nullptr) {
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.described);
  }
#endif
  check(plan.try_to_finish(), "planning a convolution");
  return plan;
}

std::int64_t workspace_of(const Descriptor& plan) {
  std::int64_t count = 0, bytes = 0;
  check(cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                 CUDNN_TYPE_INT64, 1, &count, &bytes),
        "planning a convolution");
  return bytes;
}

}  // namespace cograd::cuda
