#include "cograd/engine/cuda/convolution_plan.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "cograd/engine/cuda/autotune.h"
#include "cograd/engine/error.h"

namespace cograd::cuda {
namespace {

std::string key_of(const Convolution& c, const Alignments& alignments) {
  const Arithmetic how = arithmetic();
  const ConvGeometry& g = c.geometry;
  return fmt::format(
      "convolution {} x{} w{} y{} {} stride{}x{} padding{}x{} dilation{}x{} "
      "aligned{}/{}/{} tf32-{} fixed{}",
      static_cast<int>(c.pass), c.x, c.w, c.y, name_of(c.dtype), g.stride[0], g.stride[1],
      g.padding[0], g.padding[1], g.dilation[0], g.dilation[1], alignments[0], alignments[1],
      alignments[2], int{how.tf32}, int{how.deterministic});
}

/// An engine configuration, and its plan from the first run on.
class Plan {
 public:
  explicit Plan(Descriptor config) : config_(std::move(config)) {}

  /// Throws DeviceError when the engine cannot do it, or needs too much memory.
  void run(const std::vector<void*>& pointers, Backend& backend) {
    if (!plan_) make();
    const Tensor workspace =
        Tensor::empty({std::max<std::int64_t>(workspace_, 1)}, Dtype::u8, backend);
    void* memory = workspace.raw();
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.data(), 3);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::array<std::int64_t, 3>{kX, kW, kY});
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &memory);
    const Descriptor ready = std::move(pack).finished();
    check(cudnnBackendExecute(Context::instance().dnn, plan_->get(), ready.get()), "convolving");
  }

 private:
  void make() {
    Descriptor plan = make_plan(config_, {.handle = Context::instance().dnn});
    workspace_ = workspace_of(plan);
    require<DeviceError>(workspace_ <= kWorkspaceLimit,
                         "[cudnn] a plan needs {} bytes of workspace: expected up to {}",
                         workspace_, kWorkspaceLimit);
    plan_ = std::move(plan);
  }

  Descriptor config_;  // which the plan refers to
  std::optional<Descriptor> plan_;
  std::int64_t workspace_ = 0;
};

/// The fastest right plan of what cuDNN suggests for these addresses.
Plan fastest_plan(const std::string& key, const Convolution& c, const Alignments& alignments,
                  const std::vector<void*>& pointers, Backend& backend) {
  const PlanTarget target{.handle = Context::instance().dnn};
  Suggestions fast = suggestions(c, alignments, target, arithmetic());
  Suggestions exact = suggestions(c, alignments, target, {.tf32 = false, .deterministic = true});
  std::vector<Plan> plans;
  for (Suggestions* all : {&fast, &exact}) {
    for (Descriptor& config : all->configs) plans.emplace_back(std::move(config));
  }
  require<DeviceError>(!plans.empty(), "[conv2d] cuDNN has no {} convolution of {} with {}",
                       name_of(c.dtype), c.x, c.w);
  const auto operand = [&](const Shape& shape) {
    return Algorithms::Operand{shape.numel(), c.dtype};
  };
  const Algorithms algorithms{.key = key,
                              .count = static_cast<int>(plans.size()),
                              .timed = static_cast<int>(fast.promising),
                              .reference = static_cast<int>(fast.configs.size()),
                              .operands = {operand(c.x), operand(c.w), operand(c.y)},
                              .output = c.pass == Convolution::Pass::forward ? std::size_t{2}
                                        : c.pass == Convolution::Pass::weight_gradient
                                            ? std::size_t{1}
                                            : std::size_t{0},
                              .tolerance = tolerance_of(c.dtype),
                              .run = [&](int i, const std::vector<void*>& at) {
                                plans[static_cast<std::size_t>(i)].run(at, backend);
                              }};
  return std::move(plans[static_cast<std::size_t>(autotune(algorithms, pointers, backend))]);
}

}  // namespace

void convolve(const Convolution& c, void* x, void* w, void* y, Backend& backend) {
  static std::mutex mutex;
  // Never destroyed: cuDNN's own statics may be gone before.
  static auto& plans = *new std::map<std::string, Plan>;
  constexpr std::int64_t most = 16;  // that cuDNN asks for
  const Alignments alignments{alignment_of(x, most), alignment_of(w, most), alignment_of(y, most)};
  const std::string key = key_of(c, alignments);
  const std::vector<void*> pointers{x, w, y};
  const std::lock_guard lock(mutex);
  auto known = plans.find(key);
  if (known == plans.end()) {
    known = plans.emplace(key, fastest_plan(key, c, alignments, pointers, backend)).first;
  }
  known->second.run(pointers, backend);
}

}  // namespace cograd::cuda
