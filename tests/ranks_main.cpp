// Run by mpirun: that R ranks train as one process does with R groups. Prints what differs and
// fails.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/ops/ops.h"
#include "engine/random.h"
#include "models/registry.h"
#include "optim/sgd.h"
#include "parallel/data_parallel.h"

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
      backward(cross_entropy((*model)(Variable(x)), labels), parallel->local_rule());
      parallel->aggregate(parameters);
    } else {
      Aggregator& whole = const_cast<Aggregator&>(rule);
      backward(cross_entropy((*model)(Variable(x, Groups(batch, rule.groups(batch)))), labels),
               whole);
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

int failures(Communicator& communicator) {
  const std::int64_t ranks = communicator.size();
  const std::string median = fmt::format("mom:{}", ranks);
  const std::vector<Job> jobs{{"mlp", "mean", {1, 5, 5}, 8, 0.9},
                              {"mlp", median, {1, 5, 5}, 8, 0.0},
                              {"mlp", "rm3", {1, 5, 5}, 8, 0.0},
                              {"mlp", fmt::format("trimmed:{},1", ranks), {1, 5, 5}, 8, 0.9},
                              // Statistics of batch norm are those of each group.
                              {"resnet18_cifar", median, {3, 16, 16}, 4, 0.0}};
  int failed = 0;
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
  const int failed = cograd::failures(*communicator);
  if (communicator->rank() == 0 && failed == 0)
    std::printf("%d ranks equal one process\n", expected);
  return failed == 0 ? 0 : 1;
} catch (const cograd::Error& error) {
  std::fprintf(stderr, "ranks_main: error: %s\n", error.what());
  return 1;
}
