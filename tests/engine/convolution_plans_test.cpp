// cuDNN itself, asked for kernels for every convolution of the models. No device is needed: since
// version 9.8 cuDNN makes plans for one that is only described.
#include <cstdio>
#include <map>
#include <set>

#include "cograd/engine/cuda/convolution_plan.h"
#include "cograd/engine/reference/reference_backend.h"
#include "cograd/models/registry.h"
#include "tests/support/catch.h"

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

Shape with_batch(const Shape& shape, std::int64_t n) { return {n, shape[1], shape[2], shape[3]}; }

/// Every convolution of a model's step: the two that take the whole batch, and the filter gradients
/// of a third of it.
std::vector<Convolution> convolutions_of(const std::string& model, std::int64_t extent,
                                         std::int64_t batch) {
  Recorder recorder;
  const Shape image{3, extent, extent};
  const auto module = make_model(model, {.image = image, .classes = 100});
  module->to(recorder);
  module->train(false);
  const NoGradient off;
  (*module)(Variable(Tensor::zeros({1, 3, extent, extent}, Dtype::f32, recorder), Groups(1, 1)));
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

/// Whether the first engine that the arithmetic permits makes a plan within the limit.
bool has_plan(const Convolution& c, const cuda::Alignments& alignments, const Descriptor& device,
              cuda::Arithmetic how) {
  const cuda::PlanTarget target{.described = &device};
  const std::vector<Descriptor> configs = cuda::suggestions(c, alignments, target, how);
  for (const Descriptor& config : configs) {
    try {
      if (cuda::workspace_of(cuda::make_plan(config, target)) <= cuda::kWorkspaceLimit) return true;
    } catch (const DeviceError&) {
      continue;
    }
  }
  return false;
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
  const auto [model, extent, batch] = GENERATE(table<const char*, int, int>({
      {"resnet18_cifar", 32, 128},
      {"resnet18_cifar", 64, 96},
      {"resnet34", 64, 96},
      {"resnet50", 224, 256},
      {"vgg16_bn", 64, 96},
      {"inception_v3", 299, 64},
  }));
  const std::vector<Convolution> convolutions = convolutions_of(model, extent, batch);
  CAPTURE(model, extent);
  REQUIRE(convolutions.size() >= 6);
  check_plans(convolutions, kA100, kFast);
  check_plans(convolutions, kH200, kFast);
  check_plans(convolutions, kH200, kExact);
}

TEST_CASE("cuDNN has kernels for odd convolutions and addresses", "[cudnn]") {
  const auto device = described(kH200);
  if (device == nullptr) return;
  const ConvGeometry dilated{.padding = {2, 1}, .dilation = {2, 1}},
      strided{.stride = {2, 3}, .padding = {1, 1}};
  for (const Pass pass : {Pass::forward, Pass::input_gradient, Pass::weight_gradient}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      for (const std::int64_t alignment : {std::int64_t{16}, std::int64_t{4}}) {
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
