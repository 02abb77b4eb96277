// What training steps on a GPU launch and move, counted without one: the steps of bench_steps are
// walked on the emulated device of tests/support/cuda_emulator/, where nothing is computed.
//
// Usage: bench_ledger [TEXT]     (only steps whose name holds TEXT; one alone: kernel by kernel)
//
// Bytes are those that each launch must move, every array once: of our kernels as they are declared
// where they are launched, of the libraries by the extents of their matrices. Caches save some of
// it, workspaces add some. The floor is that of cuda_emulator::Walked. Counted, not measured.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "tests/support/cuda_emulator/walk.h"

namespace {

using namespace cograd;
using cuda_emulator::Kind;
using cuda_emulator::Total;

struct Named {
  std::string name;
  cuda_emulator::Step step;
};

std::vector<Named> chosen_steps(const std::string& text) {
  struct Size {
    const char *name, *model;
    Shape image;
    std::int64_t batch;
  };
  std::vector<Named> steps;
  for (const Size& s : std::vector<Size>{{"mlp", "mlp", {1, 28, 28}, 100},
                                         {"resnet18_cifar", "resnet18_cifar", {3, 32, 32}, 128},
                                         {"resnet18_64", "resnet18", {3, 64, 64}, 96},
                                         {"vgg13_bn_64", "vgg13_bn", {3, 64, 64}, 96},
                                         {"inception_v3_299", "inception_v3", {3, 299, 299}, 64},
                                         {"resnet50_224", "resnet50", {3, 224, 224}, 256}}) {
    for (const Dtype precision : {Dtype::f32, Dtype::bf16}) {
      for (const char* rule : {"mean", "m3", "rm3", "trimmed:5,1", "huber:3", "geomed:3"}) {
        std::string name = fmt::format("{}/b{}/{}/{}", s.name, s.batch, name_of(precision), rule);
        if (name.find(text) == std::string::npos) continue;
        steps.push_back({std::move(name), {s.model, s.image, s.batch, rule, precision}});
      }
    }
  }
  require<ValueError>(
      !steps.empty(),
      "no step's name holds '{}': expected a part of one as resnet50_224/b256/bf16/m3",
      printable(text));
  return steps;
}

double giga(std::int64_t bytes) { return static_cast<double>(bytes) * 1e-9; }

void print_row(const Named& named) {
  const cuda_emulator::Walked walked =
      cuda_emulator::walk(named.step, cuda_emulator::Watch::shapes);
  const auto of = [&](Kind kind) { return cuda_emulator::total(walked.entries, kind); };
  const Total own = of(Kind::kernel), dnn = of(Kind::cudnn), blas = of(Kind::cublas),
              copies = of(Kind::copy);
  fmt::print("| {} | {} | {} | {} | {} | {:.3f} | {:.3f} | {:.3f} |\n", named.name, own.count,
             dnn.count, blas.count, copies.count, giga(own.bytes),
             giga(dnn.bytes + blas.bytes + copies.bytes), giga(walked.floor));
}

void print_kernels(const Named& named) {
  std::map<std::string, Total> kernels;
  for (const auto& e : cuda_emulator::walk(named.step, cuda_emulator::Watch::shapes).entries) {
    Total& total = kernels[e.name];
    ++total.count;
    total.bytes += e.read + e.written;
  }
  fmt::print("\n| {} | launches | GB |\n| --- | --- | --- |\n", named.name);
  for (const auto& [name, total] : kernels) {
    fmt::print("| {} | {} | {:.4f} |\n", name, total.count, giga(total.bytes));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  require<ValueError>(argc <= 2, "{} arguments: expected a part of a step's name, or none",
                      argc - 1);
  const std::vector<Named> steps = chosen_steps(argc > 1 ? argv[1] : "");
  fmt::print(
      "| step | our kernels | cuDNN | cuBLASLt | copies | ours GB | libraries GB | floor GB |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Named& named : steps) print_row(named);
  if (steps.size() == 1) print_kernels(steps.front());
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_ledger: error: {}\n", error.what());
  return 1;
}
