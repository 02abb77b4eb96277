// Ranks as threads of one process: the engine's data-parallel code without MPI or NCCL.
#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/engine/parallel/data_parallel.h"

/// What the ranks share: where each one's call has its values, and a barrier.
class SharedExchange {
 public:
  explicit SharedExchange(int ranks) : barrier(ranks), sent(static_cast<std::size_t>(ranks)) {}

  std::barrier<> barrier;
  std::vector<const float*> sent;
};

/// One rank of them. A call shows its values to the others, waits for them, reads theirs, and waits
/// until all have read.
class ThreadCommunicator final : public cograd::Communicator {
 public:
  ThreadCommunicator(SharedExchange& shared, int rank,
                     std::shared_ptr<cograd::ExchangeQueue> queue = nullptr)
      : Communicator(std::move(queue)), shared_(&shared), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(shared_->sent.size()); }
  std::unique_ptr<cograd::Communicator> split(int) const override {
    throw cograd::ValueError("[parallel] ranks in threads are not divided");
  }

 private:
  void do_average(float* values, std::int64_t n) override {
    std::vector<float> mean(static_cast<std::size_t>(n));
    exchange(values, [&] {
      for (const float* of_rank : shared_->sent) {
        for (std::int64_t i = 0; i < n; ++i) {
          mean[static_cast<std::size_t>(i)] += of_rank[i] / static_cast<float>(size());
        }
      }
    });
    std::copy(mean.begin(), mean.end(), values);
  }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    exchange(sent, [&] {
      for (int r = 0; r < size(); ++r) std::copy_n(from(r) + rank_ * n, n, received + r * n);
    });
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    exchange(sent, [&] {
      for (int r = 0; r < size(); ++r) std::copy_n(from(r), n, received + r * n);
    });
  }
  void do_broadcast(float* values, std::int64_t n) override {
    std::vector<float> first(static_cast<std::size_t>(n));
    exchange(values, [&] { std::copy_n(from(0), n, first.data()); });
    std::copy(first.begin(), first.end(), values);
  }

  const float* from(int r) const { return shared_->sent[static_cast<std::size_t>(r)]; }
  void exchange(const float* sent, const std::function<void()>& read) {
    shared_->sent[static_cast<std::size_t>(rank_)] = sent;
    shared_->barrier.arrive_and_wait();
    read();
    shared_->barrier.arrive_and_wait();
  }

  SharedExchange* shared_;
  int rank_;
};

/// Runs `body` for every rank and returns the bytes that left each.
inline std::vector<std::int64_t> run_ranks(int ranks,
                                           const std::function<void(cograd::Communicator&)>& body) {
  SharedExchange shared(ranks);
  std::vector<std::int64_t> bytes_sent(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&shared, &body, &bytes_sent, r] {
      ThreadCommunicator communicator(shared, r);
      body(communicator);
      bytes_sent[static_cast<std::size_t>(r)] = communicator.traffic().bytes;
    });
  }
  threads.clear();  // waits for them
  return bytes_sent;
}

/// What `rule` makes of the ranks' gradients [n], one example each. The gradient of a linear layer's
/// only row of weights is its input.
inline cograd::Tensor aggregate(const cograd::Aggregator& rule, cograd::Communicator& communicator,
                                const std::vector<float>& gradient) {
  using namespace cograd;
  const auto n = static_cast<std::int64_t>(gradient.size());
  Backend& backend = reference_backend();
  Parameter w{"w", Tensor::zeros({1, n}, Dtype::f32, backend), {}, {}};
  DataParallel parallel(rule, communicator, communicator.size(), {&w});
  const Variable x(Tensor::from(gradient, {1, n}, backend), parallel.groups());
  parallel.backward(record("output", Tensor::zeros({1}, Dtype::f32, backend),
                           {linear(x, w, nullptr)}, {}, [](const Tensor& seed, Backward& pass) {
                             pass.input_gradient(0, seed.reshape({1, 1}));
                           }));
  return w.gradient;
}
