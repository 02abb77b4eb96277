// The part of cuDNN's graph API that engine/cuda calls: descriptors are maps of attributes, and all
// three engines are a loop over all multiplications of a convolution. The later ones are faster:
// 1 does not repeat to the bit, 2 says that it uses tensor cores as well.
#include <cudnn.h>

#include <cstring>
#include <map>
#include <vector>

#include "cograd/engine/bf16.h"
#include "tests/support/cuda_emulator/faults.h"
#include "tests/support/cuda_emulator/ledger.h"

namespace {

using cograd::Bf16;

struct Node {
  cudnnBackendDescriptorType_t type;
  std::map<int, std::vector<char>> attributes;
  int engine = 0;
  bool destroyed = false;

  template <class T>
  std::vector<T> all(int name) const {
    const auto it = attributes.find(name);
    if (it == attributes.end()) return {};
    std::vector<T> values(it->second.size() / sizeof(T));
    std::memcpy(values.data(), it->second.data(), values.size() * sizeof(T));
    return values;
  }
  const Node& node(int name) const { return *all<const Node*>(name).at(0); }
  std::int64_t number(int name) const { return all<std::int64_t>(name).at(0); }
};

/// Descriptors are destroyed before those made of them, but cuDNN copies what it was given.
std::vector<Node*>& kept() {
  static std::vector<Node*> nodes;
  return nodes;
}

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    default:
      return 4;
  }
}

struct Image {
  void* data = nullptr;
  cudnnDataType_t type;
  std::vector<std::int64_t> extents, strides;

  Image(const Node& node, const std::map<std::int64_t, void*>& pointers)
      : data(pointers.at(node.number(CUDNN_ATTR_TENSOR_UNIQUE_ID))),
        type(node.all<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE).at(0)),
        extents(node.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        strides(node.all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES)) {}
  std::int64_t index(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
    return a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
  }
  double get(std::int64_t i) const {
    return type == CUDNN_DATA_BFLOAT16 ? float{static_cast<const Bf16*>(data)[i]}
                                       : static_cast<const float*>(data)[i];
  }
  void put(std::int64_t i, double value) const {
    if (type == CUDNN_DATA_BFLOAT16) {
      static_cast<Bf16*>(data)[i] = Bf16(static_cast<float>(value));
    } else {
      static_cast<float*>(data)[i] = static_cast<float>(value);
    }
  }
};

/// Calls visit(x index, w index, y index) for every multiplication.
template <class Visit>
void for_each_product(const Node& geometry, const Image& x, const Image& w, const Image& y,
                      Visit&& visit) {
  const auto pad = geometry.all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  const auto stride = geometry.all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  const auto dilation = geometry.all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  const std::int64_t groups = x.extents[1] / w.extents[1], outs = w.extents[0] / groups;
  for (std::int64_t n = 0; n < y.extents[0]; ++n)
    for (std::int64_t o = 0; o < y.extents[1]; ++o)
      for (std::int64_t i = 0; i < y.extents[2]; ++i)
        for (std::int64_t j = 0; j < y.extents[3]; ++j)
          for (std::int64_t c = 0; c < w.extents[1]; ++c)
            for (std::int64_t u = 0; u < w.extents[2]; ++u)
              for (std::int64_t v = 0; v < w.extents[3]; ++v) {
                const std::int64_t row = i * stride[0] - pad[0] + u * dilation[0];
                const std::int64_t column = j * stride[1] - pad[1] + v * dilation[1];
                if (row < 0 || row >= x.extents[2] || column < 0 || column >= x.extents[3])
                  continue;
                visit(x.index(n, o / outs * w.extents[1] + c, row, column), w.index(o, c, u, v),
                      y.index(n, o, i, j));
              }
}

/// Adds up in double and writes all of `to`.
template <class Product>
void accumulate(const Image& to, Product&& products) {
  const std::int64_t n = to.extents[0] * to.extents[1] * to.extents[2] * to.extents[3];
  std::vector<double> sums(static_cast<std::size_t>(n));
  products([&](std::int64_t i, double term) { sums[static_cast<std::size_t>(i)] += term; });
  for (std::int64_t i = 0; i < n; ++i) to.put(i, sums[static_cast<std::size_t>(i)]);
}

/// A convolution: its tensors, and which of them it makes.
struct Operation {
  const char* name;
  const Node *x, *w, *y, *geometry;
  const Node* made;

  explicit Operation(const Node& op) {
    if (op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
      *this = Operation(op, "cudnn forward", CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
      made = y;
    } else if (op.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
      *this = Operation(op, "cudnn input gradient", CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC);
      made = x;
    } else {
      *this = Operation(op, "cudnn weight gradient", CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC);
      made = w;
    }
  }

 private:
  Operation(const Node& op, const char* of, int x_name, int w_name, int y_name, int geometry_name)
      : name(of),
        x(&op.node(x_name)),
        w(&op.node(w_name)),
        y(&op.node(y_name)),
        geometry(&op.node(geometry_name)),
        made(nullptr) {}
};

/// Of a `wrong` algorithm the first value is.
void convolve(const Operation& op, const std::map<std::int64_t, void*>& pointers, bool wrong) {
  const Image x(*op.x, pointers), w(*op.w, pointers), y(*op.y, pointers);
  const Image& to = op.made == op.x ? x : op.made == op.w ? w : y;
  accumulate(to, [&](auto add) {
    for_each_product(*op.geometry, x, w, y, [&](auto i, auto j, auto k) {
      if (&to == &y) add(k, x.get(i) * w.get(j));
      if (&to == &x) add(i, w.get(j) * y.get(k));
      if (&to == &w) add(j, x.get(i) * y.get(k));
    });
  });
  if (wrong) to.put(0, to.get(0) + 1.0);
}

std::int64_t bytes_of(const Node& tensor) {
  const bool half =
      tensor.all<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE).at(0) == CUDNN_DATA_BFLOAT16;
  std::int64_t bytes = half ? 2 : 4;
  for (const std::int64_t extent : tensor.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)) {
    bytes *= extent;
  }
  return bytes;
}

cudaStream_t stream = nullptr;

cuda_emulator::Entry entry_of(const Operation& op) {
  cuda_emulator::Entry entry;
  entry.kind = cuda_emulator::Kind::cudnn;
  entry.name = op.name;
  entry.stream = stream;
  for (const Node* tensor : {op.x, op.w, op.y}) {
    (tensor == op.made ? entry.written : entry.read) += bytes_of(*tensor);
  }
  return entry;
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  static int device;  // what a handle points to is nobody's business
  return *handle = reinterpret_cast<cudnnHandle_t>(&device), CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t to) {
  return stream = to, CUDNN_STATUS_SUCCESS;
}
const char* cudnnGetErrorString(cudnnStatus_t) { return "an error of the emulator"; }
void cudnnGetLastErrorString(char* message, std::size_t size) {
  if (size > 0) message[0] = '\0';
}
std::size_t cudnnGetVersion() { return 0; }

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  kept().push_back(new Node{type, {}});
  *descriptor = kept().back();
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  static_cast<Node*>(descriptor)->destroyed = true;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count,
                                       const void* values) {
  const auto* from = static_cast<const char*>(values);
  static_cast<Node*>(descriptor)->attributes[name] = {
      from, from + static_cast<std::size_t>(count) * size_of(type)};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t) { return CUDNN_STATUS_SUCCESS; }

/// For every graph three engine configurations, each holding it; the first is also that to fall
/// back on.
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, std::int64_t,
                                       std::int64_t* count, void* values) {
  const Node& node = *static_cast<const Node*>(descriptor);
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
    const bool falls_back = node.all<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE).at(0) ==
                            CUDNN_HEUR_MODE_FALLBACK;
    auto** configs = static_cast<Node**>(values);
    *count = falls_back ? 1 : 3;
    for (int i = 0; i < *count; ++i) {
      configs[i]->engine = i;
      configs[i]->attributes[CUDNN_ATTR_ENGINE_OPERATION_GRAPH] =
          node.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    }
  } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    (*static_cast<Node**>(values))->engine = node.engine;
    *count = 1;
  } else if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
    auto* notes = static_cast<cudnnBackendNumericalNote_t*>(values);
    *count = node.engine;
    if (node.engine > 0) notes[0] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    if (node.engine > 1) notes[1] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
  } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
    const int engine = node.node(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG).engine;
    *static_cast<std::int64_t*>(values) = std::int64_t{64} << 7 * engine;  // up to 1 MiB
    *count = 1;
  } else {
    return CUDNN_STATUS_NOT_SUPPORTED;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const Node& inputs = *static_cast<const Node*>(pack);
  const auto ids = inputs.all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto data = inputs.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  std::map<std::int64_t, void*> pointers;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    pointers[ids[i]] = data.at(i);
    // What cuDNN's documentation asks of every type.
    if (reinterpret_cast<std::uintptr_t>(data.at(i)) % 4 != 0) {
      return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
    }
  }
  const Node& config =
      static_cast<const Node*>(plan)->node(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  // The plan refers to its configuration.
  if (config.destroyed) return CUDNN_STATUS_BAD_PARAM;
  if (!cuda_emulator::run_algorithm(config.engine)) return CUDNN_STATUS_EXECUTION_FAILED;
  const bool wrong = cuda_emulator::faults.wrong.contains(config.engine);
  const Operation operation(
      config.node(CUDNN_ATTR_ENGINE_OPERATION_GRAPH).node(CUDNN_ATTR_OPERATIONGRAPH_OPS));
  cuda_emulator::queue(entry_of(operation), [=] { convolve(operation, pointers, wrong); });
  return CUDNN_STATUS_SUCCESS;
}
}
