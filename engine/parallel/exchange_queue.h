// Exchanges between ranks that go on beside the computation.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace cograd {

/// Exchanges are numbered from 1 on, in the order in which they were begun.
using ExchangeNumber = std::int64_t;

/// Does one exchange after the other. Ranks make the same exchanges in the same order, so one queue
/// serves a job and all parts of it.
class ExchangeQueue {
 public:
  ExchangeQueue() = default;
  virtual ~ExchangeQueue() = default;
  ExchangeQueue(const ExchangeQueue&) = delete;
  ExchangeQueue& operator=(const ExchangeQueue&) = delete;

  /// Returns before `exchange` is done.
  virtual ExchangeNumber begin(std::function<void()> exchange) = 0;
  /// What the caller computes next finds exchange `number` done, and all before it. Throws what the
  /// first exchange that failed threw; those after it are left out.
  virtual void finish(ExchangeNumber number) = 0;
  virtual void finish_all() = 0;
};

/// A thread does the exchanges. It is started by the first of them.
class ExchangeThread final : public ExchangeQueue {
 public:
  ExchangeThread() = default;
  ~ExchangeThread() override;

  ExchangeNumber begin(std::function<void()> exchange) override;
  void finish(ExchangeNumber number) override;
  void finish_all() override;

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable begun_or_ended_, done_or_failed_;
  std::deque<std::function<void()>> waiting_;
  ExchangeNumber begun_ = 0, done_ = 0;
  std::exception_ptr error_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace cograd
