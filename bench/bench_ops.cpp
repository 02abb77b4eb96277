// Single kernels of each backend: convolutions of ResNet-18 (CIFAR), the MLP's products, batch
// norm.
//
// Named OP/BACKEND/SIZES. Counters: flops, floating-point operations per second by the textbook's
// count (an algorithm such as Winograd's that needs fewer can exceed the machine's peak); error,
// the relative error (Frobenius) against the reference backend in double.
#include <benchmark/benchmark.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/random.h"

namespace {

using namespace cograd;

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape, reference_backend());
}

double relative_error(const Tensor& got, const Tensor& expected) {
  const auto a = got.row_major().to(reference_backend()).to(Dtype::f64).to_vector<double>();
  const auto b = expected.to_vector<double>();
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

/// x in the layout that the backend's convolutions hand on, as inside a network: by a convolution
/// with the identity.
Tensor handed_on(const Tensor& x, Backend& backend) {
  const Tensor own = x.to(backend);
  if (x.shape().rank() != 4) return own;
  const std::int64_t channels = x.size(1);
  std::vector<float> identity(static_cast<std::size_t>(channels * channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    identity[static_cast<std::size_t>(c * (channels + 1))] = 1.0f;
  }
  return backend.conv2d(own, Tensor::from(identity, {channels, channels, 1, 1}, backend), Tensor(),
                        {});
}

/// What a kernel makes of its inputs, which are on its backend and in its type.
using Kernel = std::function<Tensor(Backend&, const std::vector<Tensor>&)>;

/// Inputs named in `images` come in the backend's layout, weights row-major.
void run(benchmark::State& state, Backend& backend, const std::vector<Tensor>& inputs,
         std::size_t images, const Kernel& kernel, double flops) {
  std::vector<Tensor> exact, own;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    exact.push_back(inputs[i].to(Dtype::f64));
    own.push_back(i < images ? handed_on(inputs[i], backend) : inputs[i].to(backend));
  }
  Tensor result = kernel(backend, own);
  state.counters["error"] = relative_error(result, kernel(reference_backend(), exact));
  for (auto _ : state) result = kernel(backend, own);
  state.counters["flops"] =
      benchmark::Counter(flops * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

/// Inputs are made when a benchmark runs, not when it is registered; the first `images` of them are
/// images.
void add(const std::string& op, const std::string& sizes, const std::vector<Shape>& shapes,
         std::size_t images, const Kernel& kernel, double flops) {
  for (Backend* backend : {&cpu_backend(), &reference_backend()}) {
    const std::string name = op + "/" + std::string(backend->name()) + "/" + sizes;
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State& state) {
                                   std::vector<Tensor> inputs;
                                   for (std::size_t i = 0; i < shapes.size(); ++i) {
                                     inputs.push_back(normal(shapes[i], i));
                                   }
                                   run(state, *backend, inputs, images, kernel, flops);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

// --- what the machine can do at most -------------------------------------------------------------

/// Independent multiply-adds in registers; returns a number so that none of it is left out.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"),
               optimize("O3", "fp-contract=fast")))
#endif
float multiply_add(std::int64_t repeats) {
  typedef float Lanes __attribute__((vector_size(64)));
  Lanes factor{}, term{};
  for (int i = 0; i < 16; ++i) factor[i] = 0.5f, term[i] = 1e-3f;
  // Each its own start, or the compiler sees that all are one.
  const Lanes step = factor;
  Lanes a = term, b = a + step, c = b + step, d = c + step, e = d + step, f = e + step;
  Lanes g = f + step, h = g + step, i = h + step, j = i + step, k = j + step, l = k + step;
  for (std::int64_t r = 0; r < repeats; ++r) {
    a = a * factor + term, b = b * factor + term, c = c * factor + term, d = d * factor + term;
    e = e * factor + term, f = f * factor + term, g = g * factor + term, h = h * factor + term;
    i = i * factor + term, j = j * factor + term, k = k * factor + term, l = l * factor + term;
  }
  const Lanes sum = a + b + c + d + e + f + g + h + i + j + k + l;
  float total = 0.0f;
  for (int lane = 0; lane < 16; ++lane) total += sum[lane];
  return total;
}

/// The peak of float32 multiply-adds on all threads: what the flops of the other rows are to be
/// compared with.
void peak(benchmark::State& state) {
  constexpr std::int64_t kRepeats = 1 << 20;
  int threads = 1;
  for (auto _ : state) {
#pragma omp parallel
    {
      benchmark::DoNotOptimize(multiply_add(kRepeats));
#ifdef _OPENMP
#pragma omp single
      threads = omp_get_num_threads();
#endif
    }
  }
  const double flops = 2.0 * 12 * 16 * static_cast<double>(kRepeats) * threads;
  state.counters["flops"] =
      benchmark::Counter(flops * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
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
        flops);
    add(
        "conv_data_gradient", sizes, {y, w}, 1,
        [=](Backend& b, const std::vector<Tensor>& in) {
          return b.conv2d_data_gradient(in[0], in[1], x, geometry);
        },
        flops);
    add(
        "conv_weight_gradient", sizes, {x, y}, 2,
        [=](Backend& b, const std::vector<Tensor>& in) {
          Tensor dw = Tensor::empty(w.prepended(1), in[0].dtype(), b);
          b.conv2d_weight_gradient(in[0], in[1], geometry, Groups(s.n, 1), dw, Write::overwrite);
          return dw;
        },
        flops);
  }
}

void add_products() {
  const std::int64_t n = 100, out = 256;
  for (const std::int64_t in : {784, 256}) {
    const double flops = 2.0 * static_cast<double>(n * in * out);
    const std::string sizes = "n100_i" + std::to_string(in) + "_o256";
    add(
        "linear_forward", sizes, {{n, in}, {out, in}, {out}}, 0,
        [](Backend& b, const std::vector<Tensor>& x) { return b.linear(x[0], x[1], x[2]); }, flops);
    add(
        "linear_data_gradient", sizes, {{n, out}, {out, in}}, 0,
        [](Backend& b, const std::vector<Tensor>& x) { return b.linear_data_gradient(x[0], x[1]); },
        flops);
    for (const std::int64_t groups : {1, 3}) {
      add(
          "linear_weight_gradient", sizes + "_g" + std::to_string(groups), {{n, in}, {n, out}}, 0,
          [=](Backend& b, const std::vector<Tensor>& x) {
            Tensor dw = Tensor::empty({groups, out, in}, x[0].dtype(), b);
            b.linear_weight_gradient(x[0], x[1], Groups(n, groups), dw, Write::overwrite);
            return dw;
          },
          flops);
    }
  }
}

void add_batch_norm() {
  for (const Shape& shape : {Shape{32, 64, 32, 32}, Shape{32, 512, 4, 4}}) {
    const Shape channels{shape[1]};
    add(
        "batch_norm_forward", "n32_c" + std::to_string(shape[1]), {shape, channels, channels}, 1,
        [](Backend& b, const std::vector<Tensor>& x) {
          Tensor mean = Tensor::zeros(x[1].shape(), x[1].dtype(), b);
          Tensor variance = Tensor::full(x[1].shape(), 1.0, x[1].dtype(), b);
          RunningStatistics running{mean, variance, 0.1};
          return b
              .batch_norm(x[0], x[1], x[2], Groups(32, 1), 1e-5, running, Epilogue::none, Tensor())
              .y;
        },
        0.0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("peak/multiply_add", peak)->UseRealTime();
  add_convolutions();
  add_products();
  add_batch_norm();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
