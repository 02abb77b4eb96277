// Gradients that are exchanged while the backward pass goes on. Over MPI: ranks_main.cpp.
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"
#include "cograd/engine/random.h"
#include "cograd/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/ranks_in_threads.h"

namespace cograd::testing {
namespace {

Parameter parameter_f32(const std::string& name, const Shape& shape, Random& random) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return {name, Tensor::from(values, shape, reference_backend()), {}, {}};
}

struct Outcome {
  std::vector<float> values, norms;
};

/// Three steps of a network whose first layer is used twice, by rank `communicator.rank()`.
Outcome trained(Communicator& communicator, const std::string& rule, std::int64_t message) {
  constexpr std::int64_t kRows = 12, kWidth = 5;
  Random random(3);
  Parameter w1 = parameter_f32("w1", {kWidth, kWidth}, random),
            b1 = parameter_f32("b1", {kWidth}, random),
            w2 = parameter_f32("w2", {3, kWidth}, random);
  const std::vector<Parameter*> parameters{&w1, &b1, &w2};
  const auto aggregator = parse_aggregator(rule);
  DataParallel parallel(*aggregator, communicator, kRows, parameters, {}, message);
  Sgd sgd(parameters, *aggregator, {.learning_rate = 0.1});
  for (int step = 0; step < 4; ++step) {
    std::vector<float> pixels(kRows * kWidth);
    for (float& v : pixels) v = static_cast<float>(random.normal());
    std::vector<std::int64_t> classes(kRows);
    for (std::int64_t& c : classes) c = static_cast<std::int64_t>(random.below(3));
    const RowRange mine = parallel.rows();
    const Tensor x = Tensor::from(pixels, {kRows, kWidth}, reference_backend());
    const Tensor labels = Tensor::from(classes, {kRows}, reference_backend());
    Variable h(x.rows(mine.begin, mine.end).clone(), parallel.groups());
    for (int use = 0; use < 2; ++use) h = relu(linear(h, w1, &b1));
    parallel.backward(
        cross_entropy(linear(h, w2, nullptr), labels.rows(mine.begin, mine.end).clone()),
        {.measure_coherence = step == 3});
    sgd.step();
  }
  Outcome outcome;
  for (const Parameter* p : parameters) {
    const std::vector<float> values = p->value.to_vector<float>();
    outcome.values.insert(outcome.values.end(), values.begin(), values.end());
    outcome.norms.push_back(static_cast<float>(p->norms.squared_mean));
    outcome.norms.push_back(static_cast<float>(p->norms.mean_squared));
  }
  return outcome;
}

/// By each of `ranks` threads; `beside`: what is begun is done by yet another thread of each.
std::vector<Outcome> trained_by(int ranks, bool beside, const std::string& rule,
                                std::int64_t message) {
  SharedExchange shared(ranks);
  std::vector<Outcome> outcomes(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      std::shared_ptr<ExchangeQueue> queue;
      if (beside) queue = std::make_shared<ExchangeThread>();
      ThreadCommunicator communicator(shared, r, queue);
      outcomes[static_cast<std::size_t>(r)] = trained(communicator, rule, message);
    });
  }
  threads.clear();
  return outcomes;
}

/// Rank 0 of two, whose peer has the same values. Notes what is begun.
class Noting final : public Communicator {
 public:
  Noting(std::vector<std::string>& notes, std::shared_ptr<ExchangeQueue> queue,
         std::function<void()> exchange)
      : Communicator(std::move(queue)), notes_(&notes), exchange_(std::move(exchange)) {}

  int rank() const override { return 0; }
  int size() const override { return 2; }
  std::unique_ptr<Communicator> split(int) const override { return nullptr; }

 private:
  void do_average(float*, std::int64_t) override { note("mean"); }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    note("to each its shard");
    for (int r = 0; r < 2; ++r) std::copy_n(sent, n, received + r * n);
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    note("shards to all");
    for (int r = 0; r < 2; ++r) std::copy_n(sent, n, received + r * n);
  }
  void do_broadcast(float*, std::int64_t) override {}
  void note(const char* text) {
    exchange_();
    notes_->emplace_back(text);
  }

  std::vector<std::string>* notes_;
  std::function<void()> exchange_;
};

/// One backward pass through two layers of four weights each; `between` happens when it has passed
/// the last one.
void pass(Communicator& communicator, const Aggregator& rule, std::int64_t message,
          const std::function<void()>& between) {
  Random random(4);
  Parameter first = parameter_f32("first", {2, 2}, random),
            last = parameter_f32("last", {2, 2}, random);
  DataParallel parallel(rule, communicator, 4, {&first, &last}, {}, message);
  const Tensor x = Tensor::full({2, 2}, 1.0, Dtype::f32, reference_backend());
  const Variable h = linear(Variable(x, parallel.groups()), first, nullptr);
  const Variable marked = record("mark", h.value(), {h}, {}, [&](const Tensor& dy, Backward& on) {
    between();
    on.input_gradient(0, dy);
  });
  const Tensor labels = Tensor::zeros({2}, Dtype::i64, reference_backend());
  parallel.backward(cross_entropy(linear(marked, last, nullptr), labels));
}

}  // namespace

TEST_CASE("exchanges go on beside the computation, in order", "[parallel]") {
  std::promise<void> computed;
  std::vector<int> done;
  ExchangeThread queue;
  queue.finish_all();
  CHECK(queue.begin([&] {
    computed.get_future().wait();
    done.push_back(1);
  }) == 1);
  CHECK(queue.begin([&] { done.push_back(2); }) == 2);
  computed.set_value();  // were begin() to wait, this would never come
  queue.finish(2);
  CHECK(done == std::vector<int>{1, 2});
  queue.finish(1);
  queue.begin([&] { throw IoError("the link is down"); });
  queue.begin([&] { done.push_back(4); });
  CHECK_THROWS_WITH(queue.finish(4), contains("the link is down"));
  CHECK_THROWS_AS(queue.finish_all(), IoError);
  CHECK(done == std::vector<int>{1, 2});
}

TEST_CASE("a queue that goes away does first what was begun", "[parallel]") {
  std::atomic<int> done = 0;
  {
    ExchangeThread queue;
    for (int i = 0; i < 100; ++i) queue.begin([&] { ++done; });
  }
  CHECK(done == 100);
}

TEST_CASE("a layer's exchange begins before the layers below are differentiated", "[parallel]") {
  std::vector<std::string> notes;
  Noting peer(notes, nullptr, [] {});
  const auto between = [&] { notes.emplace_back("below"); };
  pass(peer, Mean(), 2, between);
  CHECK(notes == std::vector<std::string>{"mean", "below", "mean"});
  notes.clear();
  pass(peer, MedianOfMeans(2), 2, between);
  CHECK(notes == std::vector<std::string>{"to each its shard", "below", "to each its shard",
                                          "shards to all", "shards to all"});
  notes.clear();
  pass(peer, Mean(), DataParallel::kWhole, between);
  CHECK(notes == std::vector<std::string>{"below", "mean"});
}

TEST_CASE("the bits do not depend on when gradients are exchanged", "[parallel]") {
  for (const int ranks : {2, 3}) {
    for (const std::string rule : {"mean", "m3", "rm3", "mom:6", "mean:6", "mom:4"}) {
      CAPTURE(ranks, rule);
      const auto at_the_end = trained_by(ranks, false, rule, DataParallel::kWhole);
      for (const std::int64_t message : {1, 4, 1000}) {
        CAPTURE(message);
        for (const bool beside : {false, true}) {
          const auto meanwhile = trained_by(ranks, beside, rule, message);
          for (std::size_t r = 0; r < meanwhile.size(); ++r) {
            CHECK(meanwhile[r].values == at_the_end[0].values);
            for (std::size_t i = 0; i < meanwhile[r].norms.size(); ++i) {
              CHECK_THAT(meanwhile[r].norms[i],
                         Catch::Matchers::WithinRel(at_the_end[0].norms[i], 1e-5f));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("an error in the backward pass waits for the exchange that reads its gradients",
          "[parallel]") {
  std::vector<std::string> notes;
  std::promise<void> failing;
  std::shared_future<void> failed = failing.get_future();
  Noting peer(notes, std::make_shared<ExchangeThread>(), [failed] {
    failed.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  CHECK_THROWS_AS(pass(peer, Mean(), 2,
                       [&] {
                         failing.set_value();
                         throw std::bad_alloc();
                       }),
                  std::bad_alloc);
  CHECK(notes == std::vector<std::string>{"mean"});
}

TEST_CASE("a failed exchange ends the backward pass with its error", "[parallel]") {
  std::vector<std::string> notes;
  Noting peer(notes, std::make_shared<ExchangeThread>(), [] { throw IoError("the link is down"); });
  CHECK_THROWS_WITH(pass(peer, MedianOfMeans(2), 2, [] {}), contains("the link is down"));
  CHECK(notes.empty());
}

TEST_CASE("a parameter without a gradient is named", "[parallel]") {
  std::vector<std::string> notes;
  Noting peer(notes, nullptr, [] {});
  Random random(4);
  Parameter used = parameter_f32("used", {2, 2}, random),
            unused = parameter_f32("unused", {2, 2}, random);
  MedianOfMeans median(2);
  DataParallel parallel(median, peer, 4, {&used, &unused});
  const Tensor x = Tensor::full({2, 2}, 1.0, Dtype::f32, reference_backend());
  const Tensor labels = Tensor::zeros({2}, Dtype::i64, reference_backend());
  CHECK_THROWS_WITH(parallel.backward(cross_entropy(
                        linear(Variable(x, parallel.groups()), used, nullptr), labels)),
                    contains("unused has no gradient"));
}

}  // namespace cograd::testing
