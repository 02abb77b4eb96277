// Single kernels of each backend: convolutions of ResNet-18 (CIFAR), the MLP's products, batch
// norm, Adam's update.
//
// Named OP/BACKEND/TYPE/SIZES, TYPE that of the images. Counters: flops, floating-point operations
// per second by the textbook's count, and peak_share, the same over the peak of both machine and
// run (an algorithm such as Winograd's that needs fewer can exceed it); of batch norm and Adam, which are
// bound by memory, bytes_per_second over what must be read and written once and bandwidth_share,
// the same over that of a triad; error, the relative error (Frobenius) against the reference
// backend in double, on the same numbers.
#include <benchmark/benchmark.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "bench/machine_limits.h"
#include "bench/report.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/random.h"

namespace {

using namespace cograd;

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape, reference_backend());
}

double relative_error(const Tensor& got, const Tensor& expected) {
  const auto a =
      got.to(Dtype::f32).row_major().to(reference_backend()).to(Dtype::f64).to_vector<double>();
  const auto b = expected.to_vector<double>();
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

/// x, which is on the backend, in the layout that its convolutions hand on, as inside a network: by
/// a convolution with the identity.
Tensor handed_on(const Tensor& x, Backend& backend) {
  if (x.shape().rank() != 4) return x;
  const std::int64_t channels = x.size(1);
  std::vector<float> identity(static_cast<std::size_t>(channels * channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    identity[static_cast<std::size_t>(c * (channels + 1))] = 1.0f;
  }
  return backend.conv2d(x, Tensor::from(identity, {channels, channels, 1, 1}, backend), Tensor(),
                        {});
}

/// What a kernel makes of its inputs, which are on its backend and in its type.
using Kernel = std::function<Tensor(Backend&, const std::vector<Tensor>&)>;

/// What a kernel has to do at least.
struct Work {
  double flops = 0.0;
  std::int64_t bytes = 0;  // read and written, where memory is the limit
};

/// The counters of speed, after the last iteration.
void count_work(benchmark::State& state, const Work& work) {
  const auto iterations = static_cast<double>(state.iterations());
  if (work.flops > 0) {
    state.counters["flops"] = benchmark::Counter(
        work.flops * iterations, benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
    state.counters["peak_share"] = benchmark::Counter(work.flops * iterations / bench::peak_flops(),
                                                      benchmark::Counter::kIsRate);
  }
  if (work.bytes > 0) {
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * work.bytes);
    state.counters["bandwidth_share"] = benchmark::Counter(
        static_cast<double>(work.bytes) * iterations / bench::triad_bandwidth(work.bytes),
        benchmark::Counter::kIsRate);
  }
}

/// The first `images` inputs come in `dtype` and the backend's layout, weights in f32 and
/// row-major.
void run(benchmark::State& state, Backend& backend, Dtype dtype, const std::vector<Tensor>& inputs,
         std::size_t images, const Kernel& kernel, const Work& work) {
  std::vector<Tensor> exact, own;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor rounded =
        i < images ? inputs[i].to(cpu_backend()).to(dtype).to(Dtype::f32) : inputs[i];
    exact.push_back(rounded.to(reference_backend()).to(Dtype::f64));
    own.push_back(i < images ? handed_on(rounded.to(backend).to(dtype), backend)
                             : rounded.to(backend));
  }
  Tensor result = kernel(backend, own);
  state.counters["error"] = relative_error(result, kernel(reference_backend(), exact));
  for (auto _ : state) result = kernel(backend, own);
  count_work(state, work);
}

/// The peak that the other rows are compared with.
void peak(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(bench::peak_flops());
  state.counters["flops"] = benchmark::Counter(bench::peak_flops(), benchmark::Counter::kDefaults,
                                               benchmark::Counter::kIs1000);
}

/// Inputs are made when a benchmark runs, not when it is registered; the first `images` of them are
/// images. With `bf16`, in that type as well.
void add(const std::string& op, const std::string& sizes, const std::vector<Shape>& shapes,
         std::size_t images, const Kernel& kernel, const Work& work, bool bf16 = false) {
  struct Variant {
    Backend* backend;
    Dtype dtype;
  };
  for (const auto& [backend, dtype] :
       {Variant{&cpu_backend(), Dtype::f32}, Variant{&cpu_backend(), Dtype::bf16},
        Variant{&reference_backend(), Dtype::f32}}) {
    if (dtype == Dtype::bf16 && !(bf16 && backend->computes_in(dtype))) continue;
    const std::string name =
        op + "/" + std::string(backend->name()) + "/" + std::string(name_of(dtype)) + "/" + sizes;
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=, backend = backend, dtype = dtype](benchmark::State& state) {
                                   std::vector<Tensor> inputs;
                                   for (std::size_t i = 0; i < shapes.size(); ++i) {
                                     inputs.push_back(normal(shapes[i], i));
                                   }
                                   run(state, *backend, dtype, inputs, images, kernel, work);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

void add_convolutions() {
  struct Size {
    std::int64_t n, in, out, side, kernel, stride;
  };
  for (const Size& s :
       {Size{32, 64, 64, 32, 3, 1}, Size{32, 64, 128, 32, 3, 2}, Size{32, 64, 128, 32, 1, 2},
        Size{32, 128, 128, 16, 3, 1}, Size{32, 256, 256, 8, 3, 1}, Size{32, 512, 512, 4, 3, 1},
        Size{11, 64, 64, 32, 3, 1}, Size{11, 512, 512, 4, 3, 1}}) {
    const std::int64_t padding = s.kernel / 2, small = s.side / s.stride;
    const ConvGeometry geometry{.stride = {s.stride, s.stride}, .padding = {padding, padding}};
    const Shape x{s.n, s.in, s.side, s.side}, w{s.out, s.in, s.kernel, s.kernel};
    const Shape y{s.n, s.out, small, small};
    const double flops = 2.0 * static_cast<double>(y.numel() * s.in * s.kernel * s.kernel);
    const std::string sizes = "n" + std::to_string(s.n) + "_c" + std::to_string(s.in) + "_o" +
                              std::to_string(s.out) + "_" + std::to_string(s.side) + "px_k" +
                              std::to_string(s.kernel) + "s" + std::to_string(s.stride);
    add(
        "conv_forward", sizes, {x, w}, 1,
        [=](Backend& b, const std::vector<Tensor>& in) {
          return b.conv2d(in[0], in[1], Tensor(), geometry);
        },
        {.flops = flops}, true);
    add(
        "conv_input_gradient", sizes, {y, w}, 1,
        [=](Backend& b, const std::vector<Tensor>& in) {
          return b.conv2d_input_gradient(in[0], in[1], x, geometry);
        },
        {.flops = flops}, true);
    add(
        "conv_weight_gradient", sizes, {x, y}, 2,
        [=](Backend& b, const std::vector<Tensor>& in) {
          const Dtype type = in[0].dtype() == Dtype::bf16 ? Dtype::f32 : in[0].dtype();
          Tensor dw = Tensor::empty(w.prepended(1), type, b);
          b.conv2d_weight_gradient(in[0], in[1], geometry, Groups(s.n, 1), {dw});
          return dw;
        },
        {.flops = flops}, true);
  }
}

void add_products() {
  const std::int64_t n = 100, out = 256;
  for (const std::int64_t in : {784, 256}) {
    const double flops = 2.0 * static_cast<double>(n * in * out);
    const std::string sizes = "n100_i" + std::to_string(in) + "_o256";
    add("linear_forward", sizes, {{n, in}, {out, in}, {out}}, 0,
        [](Backend& b, const std::vector<Tensor>& x) {
          return b.linear(x[0], x[1], x[2], Epilogue::none);
        },
        {.flops = flops});
    add("linear_input_gradient", sizes, {{n, out}, {out, in}}, 0,
        [](Backend& b, const std::vector<Tensor>& x) {
          return b.linear_input_gradient(x[0], x[1]);
        },
        {.flops = flops});
    for (const std::int64_t groups : {1, 3}) {
      add("linear_weight_gradient", sizes + "_g" + std::to_string(groups), {{n, in}, {n, out}}, 0,
          [=](Backend& b, const std::vector<Tensor>& x) {
            Tensor dw = Tensor::empty({groups, out, in}, x[0].dtype(), b);
            b.linear_weight_gradient(x[0], x[1], Groups(n, groups), {dw});
            return dw;
          },
          {.flops = flops});
    }
  }
}

void add_batch_norm() {
  for (const Shape& shape : {Shape{32, 64, 32, 32}, Shape{32, 512, 4, 4}}) {
    for (const std::int64_t groups : {1, 3}) {
      const Shape channels{shape[1]}, sums{groups, shape[1]};
      const std::string sizes = "n32_c" + std::to_string(shape[1]) + "_g" + std::to_string(groups);
      add("batch_norm_forward", sizes, {shape, channels, channels}, 1,
          [=](Backend& b, const std::vector<Tensor>& x) {
            Tensor mean = Tensor::zeros(channels, x[1].dtype(), b);
            Tensor variance = Tensor::full(channels, 1.0, x[1].dtype(), b);
            RunningStatistics running{mean, variance, 0.1};
            return b
                .batch_norm({x[0], x[1], x[2], Epilogue::relu}, Groups(32, groups), 1e-5, running)
                .y;
          },
          {.bytes = 2 * 4 * shape.numel()});
      add("batch_norm_backward", sizes, {shape, shape, channels, channels}, 2,
          [=](Backend& b, const std::vector<Tensor>& x) {
            const BatchStatistics statistics{Tensor::zeros(sums, x[2].dtype(), b),
                                             Tensor::full(sums, 1.0, x[2].dtype(), b)};
            Tensor dgamma = Tensor::empty(sums, x[2].dtype(), b);
            Tensor dbeta = Tensor::empty(sums, x[2].dtype(), b);
            return b
                .batch_norm_backward({.x = x[0],
                                      .y = {},
                                      .dy = x[1],
                                      .gamma = x[2],
                                      .beta = x[3],
                                      .statistics = statistics,
                                      .groups = Groups(32, groups)},
                                     {dgamma}, {dbeta})
                .dx;
          },
          {.bytes = 3 * 4 * shape.numel()});
    }
  }
}

/// One parameter of n elements, or those of ResNet-18.
void adam_update(benchmark::State& state, const std::vector<Shape>& shapes) {
  const auto updates_on = [&](Backend& backend, Dtype dtype) {
    std::vector<AdamUpdate> updates;
    for (const Shape& shape : shapes) {
      const auto zeros = [&] { return Tensor::zeros(shape, dtype, backend); };
      updates.push_back({normal(shape, 1).to(dtype).to(backend),
                         normal(shape, 2).to(dtype).to(backend), zeros(), zeros()});
    }
    return updates;
  };
  const auto step = [](Backend& backend, std::vector<AdamUpdate>& updates, const Tensor& count) {
    backend.adam_update(updates, count, {.weight_decay = 1e-4});
  };
  const auto one = [](Backend& backend) { return Tensor::full({1}, 1.0, Dtype::i64, backend); };
  auto updates = updates_on(cpu_backend(), Dtype::f32);
  const Tensor count = one(cpu_backend());
  step(cpu_backend(), updates, count);
  {
    auto exact = updates_on(reference_backend(), Dtype::f64);
    step(reference_backend(), exact, one(reference_backend()));
    state.counters["error"] = relative_error(updates.front().p, exact.front().p);
  }
  for (auto _ : state) step(cpu_backend(), updates, count);
  std::int64_t elements = 0;
  for (const Shape& shape : shapes) elements += shape.numel();
  count_work(state, {.bytes = 7 * 4 * elements});  // p, m and v read and written, g read
}

/// The shapes of ResNet-18's parameters on CIFAR.
std::vector<Shape> resnet18_parameters() {
  std::vector<Shape> shapes{{64, 3, 3, 3}, {64}, {64}, {10, 512}, {10}};
  std::int64_t in = 64;
  for (const std::int64_t out : {64, 128, 256, 512}) {
    for (const Shape& w : {Shape{out, in, 3, 3}, Shape{out, out, 3, 3}, Shape{out, out, 3, 3},
                           Shape{out, out, 3, 3}, Shape{out, in, 1, 1}}) {
      if (w[2] == 1 && in == out) continue;  // no projection
      shapes.insert(shapes.end(), {w, {out}, {out}});
    }
    in = out;
  }
  return shapes;
}

void add_adam() {
  const auto add_shapes = [](const std::string& sizes, const std::vector<Shape>& shapes) {
    benchmark::RegisterBenchmark(
        ("adam_update/" + std::string(cpu_backend().name()) + "/f32/" + sizes).c_str(),
        [=](benchmark::State& state) { adam_update(state, shapes); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  add_shapes("n262144", {{262144}});
  add_shapes("n16777216", {{16777216}});
  add_shapes("resnet18", resnet18_parameters());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("peak/multiply_add", peak)->Iterations(1);
  add_convolutions();
  add_products();
  add_batch_norm();
  add_adam();
  return bench::run_all(argc, argv, nullptr);
}
