// cuDNN itself, asked for kernels for every convolution of the models and tests. No device is needed: since
// version 9.8 cuDNN makes plans for one that is only described.
#include <fmt/ranges.h>

#include <cstdio>
#include <map>
#include <span>

#include "cograd/engine/cuda/convolution_plan.h"
#include "cograd/engine/reference/reference_backend.h"
#include "cograd/models/registry.h"
#include "tests/support/accumulation_cases.h"
#include "tests/support/backend_cases.h"

#if CUDNN_VERSION >= 90800

namespace cograd::testing {
namespace {

using cuda::Convolution;
using cuda::Descriptor;
using Pass = Convolution::Pass;

/// What a driver tells of a device, as far as cuDNN wants to know it.
struct DeviceModel {
  const char* name;
  int version, processors, shared_memory;
  std::int64_t memory, cache;
};

constexpr DeviceModel kA100{"NVIDIA A100-SXM4-80GB", 800, 108, 166912, 85'000'000'000, 41943040};
constexpr DeviceModel kH200{"NVIDIA H200", 900, 132, 232448, 150'000'000'000, 62914560};

/// Null, saying why, where the library at hand is older than its header.
std::unique_ptr<Descriptor> described(const DeviceModel& device) {
  const std::string json = fmt::format(
      R"({{"deviceName":"{}","deviceVer":{},"multiProcessorCount":{},)"
      R"("maxSharedMemoryPerBlockOptin":{},"totalGlobalMem":{},"l2CacheSize":{},)"
      R"("maxSharedMemoryPerBlock":49152,"reservedSharedMemoryPerBlock":1024,"warpSize":32,)"
      R"("maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],)"
      R"("maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"maxCtasPerSM":32,)"
      R"("regsPerBlock":65536,"maxRegistersPerSM":65536,"smClockRateKHz":1980000,)"
      R"("memClockRateKHz":2619000,"cudaDeviceId":0,"pciDeviceId":0,"isTccDriver":0,)"
      R"("supportCoopLaunch":1,"driverVer":13000}})",
      device.name, device.version, device.processors, device.shared_memory, device.memory,
      device.cache);
  if (cudnnGetVersion() < 90800) {
    std::printf("SKIPPED: cuDNN %zu cannot plan for a device that is not here\n",
                cudnnGetVersion());
    return nullptr;
  }
  auto properties = std::make_unique<Descriptor>(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, json.c_str(),
                  static_cast<std::int64_t>(json.size()) + 1);
  cuda::check(properties->try_to_finish(), "describing a device");
  return properties;
}

Shape with_batch(const Shape& shape, std::int64_t n) { return {n, shape[1], shape[2], shape[3]}; }

/// Computes as the reference backend does and notes which convolutions it was asked for, as cuDNN
/// is: weight gradients group by group.
class Listener final : public ReferenceBackend {
 public:
  Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b,
                const ConvGeometry& geometry) override {
    const Shape y = geometry.output(x.shape(), w.shape());
    note({Pass::forward, x.shape(), w.shape(), y, geometry, Dtype::f32});
    return ReferenceBackend::conv2d(x, w, b, geometry);
  }
  Tensor conv2d_input_gradient(const Tensor& dy, const Tensor& w, const Shape& x,
                               const ConvGeometry& geometry) override {
    note({Pass::input_gradient, x, w.shape(), dy.shape(), geometry, Dtype::f32});
    return ReferenceBackend::conv2d_input_gradient(dy, w, x, geometry);
  }
  void conv2d_weight_gradient(const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                              const Groups& groups, GroupGradients dw) override {
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const std::int64_t rows = groups.range(g).size();
      if (rows == 0) continue;
      note({Pass::weight_gradient, with_batch(x.shape(), rows), dw.values.shape().inner(),
            with_batch(dy.shape(), rows), geometry, Dtype::f32});
    }
    ReferenceBackend::conv2d_weight_gradient(x, dy, geometry, groups, dw);
  }

  /// Each once, in f32 and in bf16.
  std::vector<Convolution> found() const {
    std::vector<Convolution> all;
    for (const auto& [name, c] : found_) {
      all.push_back(c);
      all.push_back(c);
      all.back().dtype = Dtype::bf16;
    }
    return all;
  }

 private:
  void note(const Convolution& c) {
    const ConvGeometry& g = c.geometry;
    found_.insert({fmt::format("{} {} {} {} {} {} {}", static_cast<int>(c.pass), c.x, c.w, c.y,
                               fmt::join(g.stride, "x"), fmt::join(g.padding, "x"),
                               fmt::join(g.dilation, "x")),
                   c});
  }

  std::map<std::string, Convolution> found_;
};

/// Notes which convolutions a model asks for, and computes none.
class Recorder final : public ReferenceBackend {
 public:
  Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor&,
                const ConvGeometry& geometry) override {
    Tensor y = Tensor::zeros(geometry.output(x.shape(), w.shape()), x.dtype(), *this);
    found.push_back({Pass::forward, x.shape(), w.shape(), y.shape(), geometry, Dtype::f32});
    return y;
  }
  std::vector<Convolution> found;
};

/// Every convolution of a model's step: the two that take the whole batch, and the filter gradients
/// of a third of it.
std::vector<Convolution> convolutions_of(const std::string& model, const Shape& image,
                                         std::int64_t batch) {
  Recorder recorder;
  const auto module = make_model(model, {.image = image, .classes = 100});
  module->to(recorder);
  module->train(false);
  const NoGradient off;
  (*module)(Variable(Tensor::zeros(image.prepended(1), Dtype::f32, recorder), Groups(1, 1)));
  std::map<std::string, Convolution> different;
  for (const Convolution& c : recorder.found) {
    for (const Pass pass : {Pass::forward, Pass::input_gradient, Pass::weight_gradient}) {
      const std::int64_t n = pass == Pass::weight_gradient ? batch / 3 : batch;
      for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
        different.insert(
            {fmt::format("{} {} {} {} {}", static_cast<int>(pass), c.x, c.w, c.y, name_of(dtype)),
             {pass, with_batch(c.x, n), c.w, with_batch(c.y, n), c.geometry, dtype}});
      }
    }
  }
  std::vector<Convolution> all;
  for (const auto& [name, c] : different) all.push_back(c);
  return all;
}

/// Whether some of these engines makes a plan within the limit.
bool has_plan(std::span<const Descriptor> configs, const cuda::PlanTarget& target) {
  for (const Descriptor& config : configs) {
    try {
      if (cuda::workspace_of(cuda::make_plan(config, target)) <= cuda::kWorkspaceLimit) return true;
    } catch (const DeviceError&) {
      continue;
    }
  }
  return false;
}

/// Whether some engine that the arithmetic permits makes a plan.
bool has_plan(const Convolution& c, const cuda::Alignments& alignments, const Descriptor& device,
              cuda::Arithmetic how) {
  const cuda::PlanTarget target{.described = &device};
  return has_plan(cuda::suggestions(c, alignments, target, how).configs, target);
}

void check_plans(const std::vector<Convolution>& convolutions, const DeviceModel& model,
                 cuda::Arithmetic how) {
  const auto device = described(model);
  if (device == nullptr) return;
  for (const Convolution& c : convolutions) {
    CAPTURE(model.name, static_cast<int>(c.pass), name_of(c.dtype), fmt::format("{}", c.x),
            fmt::format("{}", c.w), fmt::format("{}", c.y));
    CHECK(has_plan(c, {16, 16, 16}, *device, how));
  }
}

constexpr cuda::Arithmetic kFast{.tf32 = true, .deterministic = false};
constexpr cuda::Arithmetic kExact{.tf32 = false, .deterministic = true};

}  // namespace

TEST_CASE("cuDNN has kernels for the convolutions of every model", "[cudnn]") {
  const auto [model, image, batch] = GENERATE(table<const char*, Shape, int>({
      {"resnet18_cifar", {3, 32, 32}, 128},
      {"resnet18_cifar", {3, 64, 64}, 96},
      {"resnet18_cifar", {1, 28, 28}, 128},
      {"resnet18_cifar", {3, 8, 8}, 32},  // down to one pixel
      {"resnet34", {3, 64, 64}, 96},
      {"resnet50", {3, 224, 224}, 256},
      {"vgg16_bn", {3, 64, 64}, 96},
      {"inception_v3", {3, 299, 299}, 64},
  }));
  const std::vector<Convolution> convolutions = convolutions_of(model, image, batch);
  CAPTURE(model, image.str());
  REQUIRE(convolutions.size() >= 6);
  check_plans(convolutions, kA100, kFast);
  check_plans(convolutions, kH200, kFast);
  check_plans(convolutions, kH200, kExact);
}

TEST_CASE("cuDNN has kernels for the convolutions of every test", "[cudnn]") {
  Listener listener;
  check_convolution(listener);
  check_chain(listener);
  check_micro_batches(listener);
  check_accumulation(listener);
  check_random_shapes(listener);
  const std::vector<Convolution> convolutions = listener.found();
  REQUIRE(convolutions.size() >= 2 * 16 * 4);
  check_plans(convolutions, kA100, kFast);
  check_plans(convolutions, kH200, kFast);
  check_plans(convolutions, kH200, kExact);
}

TEST_CASE("cuDNN has engines to fall back on", "[cudnn]") {
  const auto device = described(kH200);
  if (device == nullptr) return;
  const cuda::PlanTarget target{.described = device.get()};
  for (const Convolution& c : convolutions_of("resnet50", {3, 224, 224}, 256)) {
    CAPTURE(static_cast<int>(c.pass), name_of(c.dtype), c.x.str(), c.w.str());
    const auto found = cuda::suggestions(c, {16, 16, 16}, target, kFast);
    CHECK(found.promising > 0);
    CHECK(has_plan(std::span(found.configs).subspan(found.promising), target));
  }
}

TEST_CASE("cuDNN has kernels for all addresses that it allows", "[cudnn]") {
  const auto device = described(kH200);
  if (device == nullptr) return;
  const ConvGeometry dilated{.padding = {2, 1}, .dilation = {2, 1}},
      strided{.stride = {2, 3}, .padding = {1, 1}};
  for (const Pass pass : {Pass::forward, Pass::input_gradient, Pass::weight_gradient}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      for (const std::int64_t alignment : {16, 8, 4}) {
        CAPTURE(static_cast<int>(pass), name_of(dtype), alignment);
        const cuda::Alignments alignments{alignment, alignment, alignment};
        CHECK(has_plan({pass, {3, 5, 7, 9}, {7, 5, 1, 1}, {3, 7, 7, 9}, {}, dtype}, alignments,
                       *device, kExact));
        CHECK(has_plan({pass, {1, 3, 8, 8}, {6, 3, 3, 3}, {1, 6, 8, 8}, dilated, dtype}, alignments,
                       *device, kExact));
        CHECK(has_plan({pass, {2, 4, 9, 11}, {6, 2, 3, 3}, {2, 6, 5, 4}, strided, dtype},
                       alignments, *device, kExact));
      }
    }
  }
}

TEST_CASE("cuDNN has no plan for shapes that do not fit together", "[cudnn]") {
  const auto device = described(kH200);
  if (device == nullptr) return;
  CHECK_FALSE(has_plan({Pass::forward, {3, 8, 8, 8}, {8, 8, 3, 3}, {3, 8, 8, 8}, {}, Dtype::f32},
                       {16, 16, 16}, *device, kFast));
}

}  // namespace cograd::testing

#endif
