#include "engine/cuda/convolution_plan.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "engine/cuda/choice.h"
#include "engine/error.h"

namespace cograd::cuda {
namespace {

/// The largest of 16, 8, 4 and 2 that divides the address: slices of batches begin anywhere.
std::int64_t alignment_of(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return address % 16 == 0 ? 16 : address % 8 == 0 ? 8 : address % 4 == 0 ? 4 : 2;
}

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

}  // namespace

class ConvolutionPlan {
 public:
  /// Throws DeviceError when the engine cannot do it, or needs too much memory.
  explicit ConvolutionPlan(const Descriptor& config)
      : plan_(make_plan(config, {.handle = Context::instance().dnn})),
        workspace_(workspace_of(plan_)) {
    require<DeviceError>(workspace_ <= kWorkspaceLimit,
                         "[cudnn] a plan needs {} bytes of workspace", workspace_);
  }

  void run(void* x, void* w, void* y, Backend& backend) const {
    const Tensor workspace =
        Tensor::empty({std::max<std::int64_t>(workspace_, 1)}, Dtype::u8, backend);
    const std::array<void*, 3> pointers{x, w, y};
    void* memory = workspace.raw();
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.data(), 3);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::array<std::int64_t, 3>{kX, kW, kY});
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
  const std::vector<Descriptor> configs =
      suggestions(c, alignments, {.handle = Context::instance().dnn}, arithmetic());
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
