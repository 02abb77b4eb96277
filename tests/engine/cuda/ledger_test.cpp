// What steps on cuda queue and move, and whether kernels move what is declared of them.
#include <algorithm>
#include <map>

#include "cograd/models/registry.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_emulator/walk.h"

namespace cograd::testing {
namespace {

using cuda_emulator::Entry;
using cuda_emulator::Kind;
using cuda_emulator::kPage;
using cuda_emulator::Step;
using cuda_emulator::Watch;

struct Declared {
  std::int64_t read = 0, written = 0, pages_read = 0, pages_written = 0, launches = 0;
};

/// Pages hold whole arrays and a little more; pooling windows may leave out the edge of an image.
/// What a kernel has written itself it reads unseen.
bool covers(std::int64_t pages, std::int64_t declared, std::int64_t arrays) {
  return pages >= declared - declared / 50 && pages <= declared + 2 * kPage * arrays;
}

}  // namespace

TEST_CASE("kernels on cuda touch the bytes that are declared of them", "[cuda]") {
#ifndef __x86_64__
  return;  // faults elsewhere do not tell reads from writes
#endif
  for (const Step& step : std::vector<Step>{
           {.model = "mlp", .image = {1, 28, 28}, .batch = 100, .aggregator = "m3"},
           {.model = "mlp", .image = {1, 28, 28}, .batch = 20, .aggregator = "winsorized:8"},
           {.model = "mlp", .image = {1, 28, 28}, .batch = 100, .aggregator = "rm3"},
           {"resnet18_cifar", {3, 32, 32}, 6, "m3", Dtype::bf16, 8},
           {"inception_v3", {3, 75, 75}, 3, "huber:3", Dtype::f32, 4}}) {
    CAPTURE(step.model, step.aggregator);
    const auto parameters = static_cast<std::int64_t>(
        make_model(step.model, {.image = step.image, .width = step.width})->parameters().size());
    std::map<std::string, Declared> kernels;
    for (const Entry& e : cuda_emulator::walk(step, Watch::pages).entries) {
      // Pages do not tell the columns of a matrix apart, of which concat copies some.
      if (e.kind != Kind::kernel || e.name == "concat") continue;
      Declared& k = kernels[e.name];
      k.read += e.read;
      k.written += e.written;
      k.pages_read += e.pages_read;
      k.pages_written += e.pages_written;
      ++k.launches;
    }
    for (const auto& [name, k] : kernels) {
      CAPTURE(name, k.launches, k.read, k.pages_read, k.written, k.pages_written);
      const std::int64_t arrays = (name == "sgd" ? 2 * parameters : 4) * k.launches;
      CHECK(covers(k.pages_read, k.read, arrays));
      CHECK(covers(k.pages_written, k.written, arrays));
    }
  }
}

TEST_CASE("steps on cuda queue no more launches than were counted", "[cuda]") {
  struct Count {
    Step step;
    std::int64_t kernels, libraries;
  };
  for (const auto& [step, kernels, libraries] :
       std::vector<Count>{{{"mlp", {1, 28, 28}, 100, "mean", Dtype::f32}, 15, 11},
                          {{"mlp", {1, 28, 28}, 100, "m3", Dtype::f32}, 23, 15},
                          {{"resnet18_cifar", {3, 32, 32}, 128, "mean", Dtype::bf16}, 165, 62},
                          {{"resnet18_cifar", {3, 32, 32}, 128, "m3", Dtype::bf16}, 187, 103},
                          {{"resnet50", {3, 224, 224}, 256, "mean", Dtype::bf16}, 406, 161},
                          {{"resnet50", {3, 224, 224}, 256, "m3", Dtype::bf16}, 461, 268}}) {
    CAPTURE(step.model, step.aggregator);
    const std::vector<Entry> entries = cuda_emulator::walk(step, Watch::shapes).entries;
    CHECK(cuda_emulator::total(entries, Kind::kernel).count == kernels);
    CHECK(cuda_emulator::total(entries, Kind::cudnn).count +
              cuda_emulator::total(entries, Kind::cublas).count ==
          libraries);
    CHECK(cuda_emulator::total(entries, Kind::copy).count == 0);
  }
}

}  // namespace cograd::testing
