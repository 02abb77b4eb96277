// Ranks as threads of one process: the engine's data-parallel code without MPI or NCCL.
#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "cograd/engine/parallel/communicator.h"

/// What the ranks share: where each one's call has its values, and a barrier.
class SharedExchange {
 public:
  explicit SharedExchange(int ranks)
      : barrier(ranks), sent(static_cast<std::size_t>(ranks)), bytes_sent(sent.size()) {}

  std::barrier<> barrier;
  std::vector<const float*> sent;
  /// What left each rank for others.
  std::vector<std::int64_t> bytes_sent;
};

/// One rank of them. A call shows its values to the others, waits for them, reads theirs, and waits
/// until all have read.
class ThreadCommunicator final : public cograd::Communicator {
 public:
  ThreadCommunicator(SharedExchange& shared, int rank) : shared_(&shared), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(shared_->sent.size()); }

  void average(float* values, std::int64_t n) override {
    std::vector<float> mean(static_cast<std::size_t>(n));
    exchange(values, [&] {
      for (const float* of_rank : shared_->sent) {
        for (std::int64_t i = 0; i < n; ++i) {
          mean[static_cast<std::size_t>(i)] += of_rank[i] / static_cast<float>(size());
        }
      }
    });
    std::copy(mean.begin(), mean.end(), values);
    count(2 * (size() - 1) * n / size());  // of a ring
  }
  void all_to_all(const float* sent, float* received, std::int64_t n) override {
    exchange(sent, [&] {
      for (int r = 0; r < size(); ++r) std::copy_n(from(r) + rank_ * n, n, received + r * n);
    });
    count((size() - 1) * n);
  }
  void all_gather(const float* sent, float* received, std::int64_t n) override {
    exchange(sent, [&] {
      for (int r = 0; r < size(); ++r) std::copy_n(from(r), n, received + r * n);
    });
    count((size() - 1) * n);  // in a ring each part travels on
  }
  void broadcast(float* values, std::int64_t n) override {
    std::vector<float> first(static_cast<std::size_t>(n));
    exchange(values, [&] { std::copy_n(from(0), n, first.data()); });
    std::copy(first.begin(), first.end(), values);
  }

 private:
  const float* from(int r) const { return shared_->sent[static_cast<std::size_t>(r)]; }
  void exchange(const float* sent, const std::function<void()>& read) {
    shared_->sent[static_cast<std::size_t>(rank_)] = sent;
    shared_->barrier.arrive_and_wait();
    read();
    shared_->barrier.arrive_and_wait();
  }
  void count(std::int64_t values) {
    shared_->bytes_sent[static_cast<std::size_t>(rank_)] += values * 4;
  }

  SharedExchange* shared_;
  int rank_;
};

/// Runs `body` for every rank and returns the bytes that left each.
inline std::vector<std::int64_t> run_ranks(int ranks,
                                           const std::function<void(cograd::Communicator&)>& body) {
  SharedExchange shared(ranks);
  std::vector<std::jthread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&shared, &body, r] {
      ThreadCommunicator communicator(shared, r);
      body(communicator);
    });
  }
  threads.clear();  // waits for them
  return shared.bytes_sent;
}
