// The aggregation kernels on a GPU: median/K/N, the fused updates and the rolling one, the
// winsorized products of a linear layer. Times are the device's own, between the events around a
// queue of launches: those of a short kernel hide behind one another, as in a training step.
//
// Counters: bytes_per_second, counting what has to be read and written once; bandwidth_share, of
// what a copy of a large array reached in the same run, where the data is far too large for the
// second-level cache: from there repeated launches read faster than any copy.
#include <benchmark/benchmark.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "bench/report.h"
#include "cograd/engine/cuda/context.h"
#include "cograd/engine/error.h"
#include "cograd/engine/random.h"
#include "cograd/engine/tensor.h"

namespace {

using namespace cograd;
using cuda::check;

constexpr std::int64_t kLarge = 1 << 27;  // floats: beyond every cache
constexpr int kTogether = 20;             // launches between two events

/// Seconds that `work`, queued kTogether times, takes on the device.
double seconds(const std::function<void()>& work) {
  static cudaEvent_t begin = nullptr, end = nullptr;
  if (begin == nullptr) {
    check(cudaEventCreate(&begin), "making an event");
    check(cudaEventCreate(&end), "making an event");
  }
  const cudaStream_t stream = cuda::Context::instance().compute;
  check(cudaEventRecord(begin, stream), "timing");
  for (int i = 0; i < kTogether; ++i) work();
  check(cudaEventRecord(end, stream), "timing");
  check(cudaEventSynchronize(end), "timing");
  float milliseconds = 0.0f;
  check(cudaEventElapsedTime(&milliseconds, begin, end), "timing");
  return 1e-3 * milliseconds;
}

void copy_on_device(std::byte* to, const std::byte* from, std::size_t bytes) {
  cuda_backend().copy_bytes(to, from, bytes, CopyDirection::on_device, Stream::compute);
}

/// Random numbers. Drawn once and repeated: a prime number of them, so that no two rows are alike.
Tensor floats(std::int64_t rows, std::int64_t n) {
  static const Tensor pattern = [] {
    std::vector<float> values(999'983);
    Random random(1);
    for (float& v : values) v = random.uniform() - 0.5f;
    return Tensor::from(values, {std::int64_t(values.size())}, cuda_backend());
  }();
  const Tensor made = Tensor::empty({rows, n}, Dtype::f32, cuda_backend());
  for (std::size_t at = 0; at < made.bytes(); at += pattern.bytes()) {
    copy_on_device(made.raw() + at, pattern.raw(), std::min(pattern.bytes(), made.bytes() - at));
  }
  return made;
}

double copy_bandwidth() {
  static const double measured = [] {
    const Tensor from = floats(1, kLarge), to = floats(1, kLarge);
    double best = 0.0;
    for (int i = 0; i < 5; ++i) {
      const double time = seconds([&] { copy_on_device(to.raw(), from.raw(), from.bytes()); });
      best = std::max(best, 2.0 * kTogether * static_cast<double>(from.bytes()) / time);
    }
    return best;
  }();
  return measured;
}

void measure(benchmark::State& state, double bytes, std::int64_t items,
             const std::function<void()>& work) {
  work();
  while (state.KeepRunningBatch(kTogether)) state.SetIterationTime(seconds(work));
  const auto iterations = static_cast<double>(state.iterations());
  state.SetItemsProcessed(state.iterations() * items);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * iterations));
  if (bytes < 4.0 * cuda::Context::instance().properties.l2CacheSize) return;
  state.counters["bandwidth_share"] =
      benchmark::Counter(bytes * iterations / copy_bandwidth(), benchmark::Counter::kIsRate);
}

void add(const std::string& name, std::function<void(benchmark::State&)> run) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [run = std::move(run)](benchmark::State& s) {
                                 try {
                                   run(s);
                                 } catch (const std::exception& error) {  // the others may work
                                   s.SkipWithError(error.what());
                                 }
                               })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

void reduction(benchmark::State& state, const Reduction& how, std::int64_t k, std::int64_t n) {
  const Tensor stack = floats(k, n);
  Tensor out = floats(1, n);
  measure(state, 4.0 * static_cast<double>((k + 1) * n), n,
          [&] { cuda_backend().reduce(how, stack, out, nullptr); });
}

void update(benchmark::State& state, std::int64_t n, std::int64_t window, double momentum) {
  std::vector<ParameterUpdate> one(1);
  one[0] = {floats(1, n), floats(1, n), momentum > 0 ? floats(1, n) : Tensor(),
            window > 1 ? floats(window, n) : Tensor()};
  const SgdCoefficients c{.learning_rate = 1e-6, .momentum = momentum, .weight_decay = 1e-4};
  // p read and written, g read, v read and written, the window read but for the slot that is
  // written.
  const double values = 3.0 + (momentum > 0 ? 2.0 : 0.0) + (window > 1 ? double(window) : 0.0);
  measure(state, 4.0 * values * static_cast<double>(n), n, [&] {
    if (window == 1) return cuda_backend().sgd_update(one, c);
    cuda_backend().rolling_update(one, 0, true, {Reduction::Kind::median}, c);
  });
}

void adam(benchmark::State& state, std::int64_t n) {
  std::vector<AdamUpdate> one{{floats(1, n), floats(1, n), floats(1, n), floats(1, n)}};
  cuda_backend().fill(one[0].second_moment, 1.0);
  const Tensor count = Tensor::full({1}, 1.0, Dtype::i64, cuda_backend());
  measure(state, 4.0 * 7.0 * static_cast<double>(n), n,
          [&] { cuda_backend().adam_update(one, count, {.learning_rate = 1e-6}); });
}

void products(benchmark::State& state, std::int64_t rows, std::int64_t in, std::int64_t out) {
  const Tensor x = floats(rows, in), dy = floats(rows, out);
  Tensor dw = floats(out, in);
  measure(state, 4.0 * static_cast<double>(rows * (in + out) + in * out), in * out, [&] {
    cuda_backend().linear_reduced_gradient(x, dy, Groups(rows, rows),
                                           {Reduction::Kind::winsorized_mean, 0, 8.0}, dw, nullptr);
  });
}

}  // namespace

int main(int argc, char** argv) try {
  cuda_backend();
  using Kind = Reduction::Kind;
  for (std::int64_t n : {std::int64_t{1} << 20, std::int64_t{1} << 25}) {
    for (std::int64_t k : {3, 4, 5, 7, 9, 15, 31}) {
      add(fmt::format("median/{}/{}", k, n),
          [=](benchmark::State& s) { reduction(s, {Kind::median}, k, n); });
    }
    add(fmt::format("trimmed_mean/9/{}", n), [=](benchmark::State& s) {
      reduction(s, {Kind::trimmed_mean, 2, 0.0}, 9, n);
    });
    add(fmt::format("adam_update/{}", n), [=](benchmark::State& s) { adam(s, n); });
    for (double momentum : {0.0, 0.9}) {
      add(fmt::format("update/{}/momentum:{}", n, momentum),
          [=](benchmark::State& s) { update(s, n, 1, momentum); });
      add(fmt::format("rolling_median_update/3/{}/momentum:{}", n, momentum),
          [=](benchmark::State& s) { update(s, n, 3, momentum); });
    }
  }
  add("winsorized_products/100/784x256", [](benchmark::State& s) { products(s, 100, 784, 256); });
  return bench::run_all(argc, argv, nullptr);
} catch (const Error& error) {
  fmt::print(stderr, "bench_cuda: error: {}\n", error.what());
  return 1;
}
