#include "docs/course/exercises/check.h"

#include "tests/support/ranks_in_threads.h"

namespace {

using namespace cograd;

constexpr int kRanks = 4;
constexpr std::int64_t kGradients = 1'000'000;

/// What DataParallel has leave rank 0.
double bytes_of(const Aggregator& rule) {
  return static_cast<double>(run_ranks(kRanks, [&rule](Communicator& communicator) {
    aggregate(rule, communicator, std::vector<float>(kGradients));
  })[0]);
}

}  // namespace

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    const auto exact = [&](const std::string& question, double right, const char* hint) {
      answers.number(question, right, hint, 1e-9);
    };
    const double sharded = bytes_of(MedianOfMeans(kRanks));
    exact("naively", (kRanks - 1) * kGradients * 4.0, "all gradients go to each of the others");
    exact("ring all-reduce", bytes_of(Mean()), "2 (R - 1) steps, a shard of n / R numbers in each");
    exact("all-to-all of the sharded median", sharded / 2, "one shard for each of the others");
    exact("all-gather of the sharded median", sharded / 2, "R - 1 shards pass through");
    exact("sharded median", sharded, "both exchanges");
    exact("medians naively", kGradients, "every rank computes them all");
    exact("medians sharded", kGradients / kRanks, "every rank has its shard");
    exact("all-reduce of many ranks", 2, "the limit of 2 (R - 1) / R");
  });
}
