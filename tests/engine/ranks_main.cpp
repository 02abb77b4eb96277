// Run by mpirun: that R ranks exchange values as they should, train as one process does, and send the
// bytes that data_parallel.h names. Prints what differs and fails. With `R fail` or `R amid`, that a rank's error ends
// all of them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/random.h"
#include "cograd/models/model_on_ranks.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

namespace cograd {
namespace {

struct Job {
  std::string model, rule;
  Shape image;
  std::int64_t width, batch;
  double momentum = 0.0, learning_rate = 0.05;
  std::int64_t message = DataParallel::kMessage;
};

constexpr std::int64_t kSteps = 20;

struct Trained {
  std::vector<float> values;  ///< of parameters and buffers
  std::vector<double> losses;
  std::vector<float> coherence;                ///< of the last step
  std::int64_t bytes = 0, expected_bytes = 0;  ///< of a step
};

void keep(std::vector<float>& values, const Tensor& tensor) {
  const std::vector<float> v = tensor.to(Dtype::f32).to_vector<float>();
  values.insert(values.end(), v.begin(), v.end());
}

/// The formula of data_parallel.h.
std::int64_t bytes_of_step(std::int64_t ranks, std::int64_t n, std::int64_t b, bool mean,
                           std::int64_t most_groups) {
  const std::int64_t shard = (n + ranks - 1) / ranks;
  return 4 * (ranks - 1) * (shard * (mean ? 2 : most_groups + 1) + b);
}

/// The most groups that a rank has rows of.
std::int64_t most_groups(std::int64_t batch, std::int64_t k, std::int64_t ranks) {
  const Groups whole(batch, k);
  std::int64_t most = 0;
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t first = r * (batch / ranks), last = first + batch / ranks - 1;
    most = std::max(most, whole.group_of(last) - whole.group_of(first) + 1);
  }
  return most;
}

/// Trains for kSteps steps, on ranks or all by itself; `measures` in the last one.
Trained trained(const Job& job, Communicator& ranks, std::uint64_t seed, bool measures) {
  Backend& backend = cpu_backend();
  const auto rule = parse_aggregator(job.rule);
  const auto model =
      make_model(job.model, {.image = job.image, .classes = 3, .width = job.width, .seed = seed});
  model->to(backend);
  const std::vector<Parameter*> parameters = model->parameters();
  const std::vector<KeptStatistics> statistics = kept_statistics(*model);
  DataParallel parallel(*rule, ranks, job.batch, parameters, statistics, job.message);
  const std::unique_ptr<Communicator> of_group = synchronize_batch_norms(*model, parallel, ranks);
  parallel.share();
  Sgd sgd(parameters, *rule, {.learning_rate = job.learning_rate, .momentum = job.momentum});
  Random random(7);
  Trained result;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    std::vector<float> pixels(static_cast<std::size_t>(job.image.prepended(job.batch).numel()));
    for (float& v : pixels) v = static_cast<float>(random.normal());
    std::vector<std::int64_t> classes(static_cast<std::size_t>(job.batch));
    for (std::int64_t& c : classes) c = static_cast<std::int64_t>(random.below(3));
    const RowRange mine = parallel.rows();
    const Tensor x = Tensor::from(pixels, job.image.prepended(job.batch), backend)
                         .rows(mine.begin, mine.end)
                         .clone();
    const Tensor labels =
        Tensor::from(classes, {job.batch}, backend).rows(mine.begin, mine.end).clone();
    const Variable loss = cross_entropy((*model)(Variable(x, parallel.groups())), labels);
    result.losses.push_back(parallel.mean_loss(loss.value()));
    const std::int64_t before = ranks.traffic().bytes;
    parallel.backward(loss, {.measure_coherence = measures && step == kSteps - 1});
    if (step == 0) result.bytes = ranks.traffic().bytes - before;
    sgd.step();
  }
  std::int64_t n = 0, b = 0;
  for (const Parameter* p : parameters) {
    keep(result.values, p->value);
    n += p->value.numel();
    result.coherence.push_back(static_cast<float>(p->norms.squared_mean));
    result.coherence.push_back(static_cast<float>(p->norms.mean_squared));
  }
  for (const KeptStatistics& kept : statistics) {
    keep(result.values, kept.running.mean);
    keep(result.values, kept.running.variance);
    keep(result.values, kept.batches);
    b += 2 * kept.running.mean.numel();
  }
  const std::int64_t k = rule->groups(job.batch), r = ranks.size();
  const bool even = k % r == 0 || r % k == 0;
  result.expected_bytes =
      bytes_of_step(r, n, b, even && rule->over_groups().kind == Reduction::Kind::mean,
                    most_groups(job.batch, k, r));
  return result;
}

std::vector<float> counted_from(std::int64_t first, std::int64_t n) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(first + i));
  return values;
}

/// Of the communicator's calls, with fewer values than ranks and none at all too.
int failed_exchanges(Communicator& communicator) {
  const std::int64_t ranks = communicator.size(), rank = communicator.rank();
  int failed = 0;
  const auto check = [&](const char* what, std::int64_t n, const std::vector<float>& got,
                         const std::vector<float>& expected) {
    if (got == expected) return;
    std::printf("rank %d: %s of %d values is wrong\n", communicator.rank(), what,
                static_cast<int>(n));
    ++failed;
  };
  for (const std::int64_t n : {0, 1, 2, 7, 1021}) {
    // Two apart from rank to rank, so that the mean is a whole number.
    std::vector<float> values = counted_from(2 * rank, n);
    communicator.average(values.data(), n);
    check("the mean", n, values, counted_from(ranks - 1, n));
    values = counted_from(100 * rank, n);
    communicator.broadcast(values.data(), n);
    check("the broadcast", n, values, counted_from(0, n));
    std::vector<float> sent, received(static_cast<std::size_t>(ranks * n)), expected, gathered;
    for (std::int64_t peer = 0; peer < ranks; ++peer) {
      const auto to = counted_from(1000 * rank + 10 * peer, n);
      const auto from = counted_from(1000 * peer + 10 * rank, n);
      const auto own = counted_from(1000 * peer, n);
      sent.insert(sent.end(), to.begin(), to.end());
      expected.insert(expected.end(), from.begin(), from.end());
      gathered.insert(gathered.end(), own.begin(), own.end());
    }
    communicator.all_to_all(sent.data(), received.data(), n);
    check("all to all", n, received, expected);
    communicator.all_gather(counted_from(1000 * rank, n).data(), received.data(), n);
    check("all together", n, received, gathered);
  }
  return failed;
}

double distance(const std::vector<float>& got, const std::vector<float>& expected) {
  double difference = 0.0, norm = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(got.at(i) - expected[i], 2);
    norm += std::pow(expected[i], 2);
  }
  return std::sqrt(difference / norm);
}

/// Of training on ranks, against this process by itself.
int failed_training(const Job& job, Communicator& ranks) {
  const bool measures = parse_aggregator(job.rule)->groups(job.batch) > 1;
  const auto alone = make_lone_communicator(cpu_backend());
  const Trained expected = trained(job, *alone, 3, measures);
  // Ranks other than 0 begin elsewhere: share() has to bring them together.
  const Trained got = trained(job, ranks, 3 + static_cast<std::uint64_t>(ranks.rank()), measures);
  int failed = 0;
  const auto check = [&](const char* what, double error, double bound) {
    if (error <= bound) return;
    std::printf("rank %d of %d: %s of %s with %s differs by %g\n", ranks.rank(), ranks.size(), what,
                job.model.c_str(), job.rule.c_str(), error);
    ++failed;
  };
  check("the state", distance(got.values, expected.values), 1e-5);
  check("the coherence", distance(got.coherence, expected.coherence), 1e-4);
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    check("a loss", std::abs(got.losses[i] - expected.losses[i]), 1e-5);
  }
  if (got.bytes != got.expected_bytes) {
    std::printf("rank %d of %d: %s with %s sends %lld bytes instead of %lld\n", ranks.rank(),
                ranks.size(), job.model.c_str(), job.rule.c_str(),
                static_cast<long long>(got.bytes), static_cast<long long>(got.expected_bytes));
    ++failed;
  }
  return failed;
}

/// Of exchanges in many buckets while the backward pass goes on, against one exchange after it.
int failed_overlap(Job job, Communicator& ranks) {
  job.message = DataParallel::kWhole;
  const Trained at_the_end = trained(job, ranks, 3, false);
  int failed = 0;
  for (const std::int64_t message : {37, 1000}) {
    job.message = message;
    const Trained meanwhile = trained(job, ranks, 3, false);
    if (meanwhile.values == at_the_end.values && meanwhile.losses == at_the_end.losses &&
        meanwhile.bytes == at_the_end.bytes) {
      continue;
    }
    std::printf("rank %d of %d: %s with %s depends on its messages of %d values\n", ranks.rank(),
                ranks.size(), job.model.c_str(), job.rule.c_str(), static_cast<int>(message));
    ++failed;
  }
  return failed;
}

int failures(Communicator& ranks) {
  const std::int64_t r = ranks.size();
  int failed = failed_exchanges(ranks);
  const Shape small{1, 5, 5}, image{3, 16, 16};
  for (const std::string& rule :
       {std::string("mean"), std::string("m3"), std::string("mom:6"), std::string("mean:3"),
        std::string("mean:6"), std::string("rm3"), std::string("ra3"), std::string("trimmed:6,1"),
        std::string("winsorized:20")}) {
    failed += failed_training({"mlp", rule, small, 8, 24, rule[0] == 'r' ? 0.0 : 0.5}, ranks);
  }
  for (const std::string& rule : {std::string("mean"), std::string("m3"), std::string("rm3")}) {
    failed += failed_overlap({"mlp", rule, small, 64, 24}, ranks);
  }
  failed += failed_training({"mlp", "mom:5", small, 8, 12 * r}, ranks);  // groups of other sizes
  failed += failed_training({"mlp", fmt::format("mom:{}", r), {1, 1, 1}, 1, 4 * r}, ranks);
  for (const std::string& rule :
       {std::string("mean"), std::string("m3"), std::string("mom:6"), std::string("rm3")}) {
    const std::int64_t k = parse_aggregator(rule)->groups(24);
    if (k % r != 0 && r % k != 0) continue;
    failed += failed_training({"resnet18_cifar", rule, image, 4, 24, 0.0, 0.01}, ranks);
    if (rule != "mom:6")
      failed += failed_overlap({"resnet18_cifar", rule, image, 4, 24, 0.0, 0.01}, ranks);
  }
  for (const Job& refused :
       {Job{"mlp", "krum:6,1", small, 8, 24}, Job{"mlp", "m3", small, 8, 12 * r + 1},
        Job{"resnet18_cifar", fmt::format("mom:{}", 2 * r + 1), image, 2, 12 * r}}) {
    try {
      trained(refused, ranks, 3, false);
      std::printf("rank %d: %s was not refused\n", ranks.rank(), refused.rule.c_str());
      ++failed;
    } catch (const ValueError&) {
    }
  }
  return failed;
}

/// Rank 1 fails in the backward pass, when the exchange of the last layer's gradient is under way.
void fail_amid_an_exchange(Communicator& ranks) {
  Backend& backend = cpu_backend();
  const std::int64_t n = 1 << 20, rows = ranks.size();
  Parameter first{"first", Tensor::zeros({1, 1}, Dtype::f32, backend), {}, {}},
      last{"last", Tensor::zeros({n, 1}, Dtype::f32, backend), {}, {}};
  const MedianOfMeans rule(rows);
  DataParallel parallel(rule, ranks, rows, {&first, &last});
  const Variable x(Tensor::full({1, 1}, 1.0, Dtype::f32, backend), parallel.groups());
  const Variable h = linear(x, first, nullptr);
  const Variable failing =
      record("failing", h.value(), {h}, {}, [&ranks](const Tensor& dy, Backward& pass) {
        if (ranks.rank() == 1) throw ValueError("rank 1 was told to fail amid an exchange");
        pass.input_gradient(0, dy);
      });
  parallel.backward(
      cross_entropy(linear(failing, last, nullptr), Tensor::zeros({1}, Dtype::i64, backend)));
}

}  // namespace
}  // namespace cograd

int main(int argc, char** argv) try {
  const auto communicator = cograd::make_communicator(cograd::cpu_backend());
  const int expected = argc > 1 ? std::stoi(argv[1]) : 0;
  if (communicator->size() != expected) {
    std::printf("ranks_main: expected %d ranks, found %d\n", expected, communicator->size());
    return 1;
  }
  const std::string how = argc > 2 ? argv[2] : "";
  if (how == "amid") cograd::fail_amid_an_exchange(*communicator);
  if (how == "fail" && communicator->rank() == 1)
    throw cograd::ValueError("rank 1 was told to fail");
  const int failed = cograd::failures(*communicator);
  if (communicator->rank() == 0 && failed == 0)
    std::printf("%d ranks equal one process\n", expected);
  return failed == 0 ? 0 : 1;
} catch (const cograd::Error& error) {
  std::fprintf(stderr, "ranks_main: error: %s\n", error.what());
  return 1;
}
