// Run by mpirun: that R ranks exchange values as they should, and train as one process does with R
// groups. Prints what differs and fails. With `R fail`, that a rank's error ends all of them.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/random.h"
#include "cograd/models/registry.h"
#include "cograd/optim/sgd.h"

namespace cograd {
namespace {

struct Job {
  std::string model, rule;
  Shape image;
  std::int64_t width;
  double momentum;
};

constexpr std::int64_t kRowsPerRank = 4, kSteps = 5;

/// The values of all parameters after kSteps steps; on ranks, or all by itself.
std::vector<float> trained(const Job& job, const Aggregator& rule, std::int64_t ranks,
                           DataParallel* parallel, std::uint64_t seed) {
  Backend& backend = cpu_backend();
  const auto model =
      make_model(job.model, {.image = job.image, .classes = 3, .width = job.width, .seed = seed});
  model->to(backend);
  const std::vector<Parameter*> parameters = model->parameters();
  if (parallel != nullptr) parallel->share(parameters);
  Sgd sgd(parameters, rule, {.learning_rate = 0.05, .momentum = job.momentum});
  Random random(7);
  const std::int64_t batch = ranks * kRowsPerRank;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    std::vector<float> pixels(static_cast<std::size_t>(job.image.prepended(batch).numel()));
    for (float& v : pixels) v = static_cast<float>(random.normal());
    std::vector<std::int64_t> classes(static_cast<std::size_t>(batch));
    for (std::int64_t& c : classes) c = static_cast<std::int64_t>(random.below(3));
    Tensor x = Tensor::from(pixels, job.image.prepended(batch), backend);
    Tensor labels = Tensor::from(classes, {batch}, backend);
    if (parallel != nullptr) {
      const RowRange mine = parallel->rows(batch);
      x = x.rows(mine.begin, mine.end).clone();
      labels = labels.rows(mine.begin, mine.end).clone();
      backward(cross_entropy((*model)(Variable(x)), labels), parallel->local_aggregator());
      parallel->aggregate(parameters);
    } else {
      backward(cross_entropy((*model)(Variable(x, Groups(batch, rule.groups(batch)))), labels),
               rule);
    }
    sgd.step();
  }
  std::vector<float> values;
  for (const Parameter* p : parameters) {
    const std::vector<float> v = p->value.to_vector<float>();
    values.insert(values.end(), v.begin(), v.end());
  }
  return values;
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

/// Of gradients that cannot be dealt out evenly: fewer values than ranks, one more, none.
int failed_shards(Communicator& communicator) {
  const std::int64_t ranks = communicator.size();
  int failed = 0;
  for (const std::string& text : {std::string("mean"), fmt::format("mom:{}", ranks)}) {
    const auto rule = parse_aggregator(text);
    DataParallel parallel(*rule, communicator);
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{1}, ranks + 1, std::int64_t{101}}) {
      Parameter empty, p;
      empty.value = empty.gradient = Tensor::zeros({0}, Dtype::f32, cpu_backend());
      p.value = Tensor::zeros({n}, Dtype::f32, cpu_backend());
      p.gradient = Tensor::from(counted_from(2 * communicator.rank(), n), {n}, cpu_backend());
      parallel.aggregate(std::vector<Parameter*>{&empty, &p});
      if (p.gradient.to_vector<float>() == counted_from(ranks - 1, n)) continue;
      std::printf("rank %d: %s of %d values is wrong\n", communicator.rank(), text.c_str(),
                  static_cast<int>(n));
      ++failed;
    }
  }
  return failed;
}

int failures(Communicator& communicator) {
  const std::int64_t ranks = communicator.size();
  const std::string median = fmt::format("mom:{}", ranks);
  const std::vector<Job> jobs{{"mlp", "mean", {1, 5, 5}, 8, 0.9},
                              {"mlp", median, {1, 5, 5}, 8, 0.0},
                              {"mlp", "rm3", {1, 5, 5}, 8, 0.0},
                              {"mlp", fmt::format("trimmed:{},1", ranks), {1, 5, 5}, 8, 0.9},
                              // Statistics of batch norm are those of each group.
                              {"resnet18_cifar", median, {3, 16, 16}, 4, 0.0}};
  int failed = failed_exchanges(communicator) + failed_shards(communicator);
  for (const Job& job : jobs) {
    const auto rule = parse_aggregator(job.rule);
    DataParallel parallel(*rule, communicator);
    const auto expected = trained(job, *rule, ranks, nullptr, 3);
    // Ranks other than 0 begin elsewhere: share() has to bring them together.
    const auto got =
        trained(job, *rule, ranks, &parallel, 3 + static_cast<std::uint64_t>(communicator.rank()));
    double difference = 0.0, norm = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference += std::pow(got[i] - expected[i], 2);
      norm += std::pow(expected[i], 2);
    }
    const double error = std::sqrt(difference / norm);
    if (!(error <= 1e-6)) {
      std::printf("rank %d: %s with %s differs by %g\n", communicator.rank(), job.model.c_str(),
                  job.rule.c_str(), error);
      ++failed;
    }
  }
  for (const std::string& refused :
       {std::string("winsorized:8"), fmt::format("mom:{}", ranks + 1)}) {
    const auto rule = parse_aggregator(refused);
    try {
      DataParallel parallel(*rule, communicator);
      std::printf("rank %d: %s was not refused\n", communicator.rank(), refused.c_str());
      ++failed;
    } catch (const ValueError&) {
    }
  }
  return failed;
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
  if (argc > 2 && communicator->rank() == 1) throw cograd::ValueError("rank 1 was told to fail");
  const int failed = cograd::failures(*communicator);
  if (communicator->rank() == 0 && failed == 0)
    std::printf("%d ranks equal one process\n", expected);
  return failed == 0 ? 0 : 1;
} catch (const cograd::Error& error) {
  std::fprintf(stderr, "ranks_main: error: %s\n", error.what());
  return 1;
}
