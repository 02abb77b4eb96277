#include "cograd/engine/cuda/convolution_plan.h"

#include <algorithm>
#include <map>
#include <mutex>

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

/// Ready to run.
class Plan {
 public:
  /// Throws DeviceError when the engine cannot do it, or needs too much memory.
  explicit Plan(const Descriptor& config)
      : plan_(make_plan(config, {.handle = Context::instance().dnn})),
        workspace_(workspace_of(plan_)) {
    require<DeviceError>(workspace_ <= kWorkspaceLimit,
                         "[cudnn] a plan needs {} bytes of workspace: expected up to {}",
                         workspace_, kWorkspaceLimit);
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

/// The fastest of what cuDNN suggests for these addresses, which it runs.
std::unique_ptr<Plan> fastest_plan(const std::string& key, const Convolution& c,
                                   const Alignments& alignments, void* x, void* w, void* y,
                                   Backend& backend) {
  const std::vector<Descriptor> configs =
      suggestions(c, alignments, {.handle = Context::instance().dnn}, arithmetic());
  require<DeviceError>(!configs.empty(), "[conv2d] cuDNN has no {} convolution of {} with {}",
                       name_of(c.dtype), c.x, c.w);
  std::vector<std::unique_ptr<Plan>> made(configs.size());
  const int choice = autotune(key, static_cast<int>(configs.size()), [&](int i) {
    auto& candidate = made[static_cast<std::size_t>(i)];
    if (candidate == nullptr) {
      candidate = std::make_unique<Plan>(configs[static_cast<std::size_t>(i)]);
    }
    candidate->run(x, w, y, backend);
  });
  return std::move(made[static_cast<std::size_t>(choice)]);
}

}  // namespace

void convolve(const Convolution& c, void* x, void* w, void* y, Backend& backend) {
  static std::mutex mutex;
  // Never destroyed: cuDNN's own statics may be gone before.
  static auto& plans = *new std::map<std::string, std::unique_ptr<Plan>>;
  constexpr std::int64_t most = 16;  // that cuDNN asks for
  const Alignments alignments{alignment_of(x, most), alignment_of(w, most), alignment_of(y, most)};
  const std::string key = key_of(c, alignments);
  const std::lock_guard lock(mutex);
  auto known = plans.find(key);
  if (known == plans.end()) {
    known = plans.emplace(key, fastest_plan(key, c, alignments, x, w, y, backend)).first;
  }
  known->second->run(x, w, y, backend);
}

}  // namespace cograd::cuda
