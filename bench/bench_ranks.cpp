// Run by mpirun, for docs/scale.md. Without arguments: the time of the exchanges of a step of n values, as a mean and
// as the median of three groups. With the bandwidth of a link in MB/s and the latency of its messages in us: the time
// of training steps whose exchanges are delayed accordingly, after the backward pass and beside it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/random.h"
#include "cograd/engine/text.h"
#include "cograd/models/registry.h"

namespace cograd {
namespace {

constexpr int kTimes = 15;

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The milliseconds of `part` on the slowest rank; all begin at once.
template <class Part>
double milliseconds(Communicator& ranks, const Part& part) {
  float begin = 0.0f;
  ranks.average(&begin, 1);
  const auto start = std::chrono::steady_clock::now();
  part();
  const std::chrono::duration<float, std::milli> took = std::chrono::steady_clock::now() - start;
  const float mine = took.count();
  std::vector<float> all(static_cast<std::size_t>(ranks.size()));
  ranks.all_gather(&mine, all.data(), 1);
  return *std::max_element(all.begin(), all.end());
}

template <class Part>
double median_milliseconds(Communicator& ranks, const Part& part) {
  std::vector<double> times;
  for (int i = 0; i < kTimes; ++i) times.push_back(milliseconds(ranks, part));
  return median(times);
}

/// Ranks behind slow links: each exchange takes as long as these would need for what a rank sends.
class SlowLinks final : public Communicator {
 public:
  SlowLinks(Communicator& ranks, double bytes_per_second, double seconds_per_message)
      : Communicator(std::make_shared<ExchangeThread>()),
        ranks_(ranks),
        bandwidth_(bytes_per_second),
        latency_(seconds_per_message) {}
  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }
  std::unique_ptr<Communicator> split(int part) const override { return ranks_.split(part); }

 private:
  void do_average(float* values, std::int64_t n) override {
    delayed([&] { ranks_.average(values, n); });
  }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    delayed([&] { ranks_.all_to_all(sent, received, n); });
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    delayed([&] { ranks_.all_gather(sent, received, n); });
  }
  void do_broadcast(float* values, std::int64_t n) override {
    delayed([&] { ranks_.broadcast(values, n); });
  }
  template <class Exchange>
  void delayed(const Exchange& exchange) {
    const Traffic before = ranks_.traffic();
    exchange();
    const double seconds =
        static_cast<double>(ranks_.traffic().bytes - before.bytes) / bandwidth_ +
        static_cast<double>(ranks_.traffic().messages - before.messages) * latency_;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  Communicator& ranks_;
  double bandwidth_, latency_;
};

/// Steps of a ResNet-18 of half the width on images of 32 x 32, eight for each rank.
void time_steps(Communicator& ranks, double bandwidth, double latency) {
  constexpr std::int64_t kRows = 8, kClasses = 10;
  Backend& backend = cpu_backend();
  SlowLinks links(ranks, bandwidth, latency);
  const std::int64_t batch = kRows * ranks.size();
  const auto model = make_model(
      "resnet18_cifar", {.image = {3, 32, 32}, .classes = kClasses, .width = 32, .seed = 1});
  model->to(backend);
  std::int64_t values = 0;
  for (const Parameter* p : model->parameters()) values += p->value.numel();
  Random random(static_cast<std::uint64_t>(ranks.rank()));
  std::vector<float> pixels(static_cast<std::size_t>(kRows * 3 * 32 * 32));
  for (float& v : pixels) v = static_cast<float>(random.normal());
  const Tensor x = Tensor::from(pixels, {kRows, 3, 32, 32}, backend);
  const Tensor labels = Tensor::zeros({kRows}, Dtype::i64, backend);
  if (ranks.rank() == 0) {
    fmt::print("ranks,values,aggregator,alone_ms,link_ms,after_ms,beside_ms,ratio\n");
  }
  for (const std::string& rule : {std::string("mean"), fmt::format("mom:{}", ranks.size())}) {
    const auto aggregator = parse_aggregator(rule);
    const Mean mean;
    const auto alone = make_lone_communicator(backend);
    DataParallel none(mean, *alone, kRows, model->parameters());
    DataParallel after(*aggregator, links, batch, model->parameters(), {}, DataParallel::kWhole);
    DataParallel beside(*aggregator, links, batch, model->parameters());
    const auto step = [&](DataParallel& parallel) {
      return milliseconds(ranks, [&] {
        parallel.backward(cross_entropy((*model)(Variable(x, parallel.groups())), labels));
      });
    };
    step(after);
    const Traffic before = links.traffic();
    step(beside);
    const double link =
        1e3 * (static_cast<double>(links.traffic().bytes - before.bytes) / bandwidth +
               static_cast<double>(links.traffic().messages - before.messages) * latency);
    std::vector<double> alones, afters, besides, ratios;
    for (int i = 0; i < kTimes; ++i) {  // in turns, since the machine's speed may change
      alones.push_back(step(none));
      afters.push_back(step(after));
      besides.push_back(step(beside));
      ratios.push_back(besides.back() / afters.back());
    }
    if (ranks.rank() > 0) continue;
    fmt::print("{},{},{},{:.0f},{:.0f},{:.0f},{:.0f},{:.2f}\n", ranks.size(), values, rule,
               median(alones), link, median(afters), median(besides), median(ratios));
  }
}

void time_exchanges(Communicator& ranks) {
  const std::int64_t r = ranks.size();
  if (ranks.rank() == 0) fmt::print("ranks,values,mean_ms,median_ms\n");
  for (const std::int64_t n : {1'000, 10'000, 100'000, 1'000'000, 10'000'000}) {
    const std::int64_t shard = (n + r - 1) / r;
    std::vector<float> all(static_cast<std::size_t>(shard * r), 1.0f), received = all;
    const double mean = median_milliseconds(ranks, [&] { ranks.average(all.data(), shard * r); });
    const double of_median = median_milliseconds(ranks, [&] {
      ranks.all_to_all(all.data(), received.data(), shard);
      ranks.all_gather(received.data(), all.data(), shard);
    });
    if (ranks.rank() == 0) fmt::print("{},{},{:.3f},{:.3f}\n", r, n, mean, of_median);
  }
}

/// A number of the command line.
double positive(const char* text, const char* unit) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  require<ValueError>(end != text && *end == '\0' && value > 0.0 && std::isfinite(value),
                      "'{}' {}: expected a number above 0", printable(text), unit);
  return value;
}

}  // namespace
}  // namespace cograd

int main(int argc, char** argv) try {
  const auto ranks = cograd::make_communicator(cograd::cpu_backend());
  if (argc == 3) {
    cograd::time_steps(*ranks, 1e6 * cograd::positive(argv[1], "MB/s"),
                       1e-6 * cograd::positive(argv[2], "us"));
  } else if (argc == 1) {
    cograd::time_exchanges(*ranks);
  } else {
    throw cograd::ValueError("expected no arguments, or the MB/s and the us of a link");
  }
  return 0;
} catch (const cograd::Error& error) {
  fmt::print(stderr, "bench_ranks: error: {}\n", error.what());
  return 1;
}
