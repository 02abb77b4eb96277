#include "cograd/engine/parallel/exchange_queue.h"

#include <utility>

namespace cograd {

ExchangeThread::~ExchangeThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  begun_or_ended_.notify_one();
  thread_.join();
}

ExchangeNumber ExchangeThread::begin(std::function<void()> exchange) {
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  ExchangeNumber number = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(exchange));
    number = ++begun_;
  }
  begun_or_ended_.notify_one();
  return number;
}

void ExchangeThread::finish(ExchangeNumber number) {
  std::unique_lock lock(mutex_);
  done_or_failed_.wait(lock, [&] { return done_ >= number; });
  if (error_) std::rethrow_exception(error_);
}

// Only the caller's thread begins exchanges, so it may read their number.
void ExchangeThread::finish_all() { finish(begun_); }

void ExchangeThread::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    begun_or_ended_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::function<void()> exchange = std::move(waiting_.front());
    waiting_.pop_front();
    std::exception_ptr error = error_;
    lock.unlock();
    try {
      if (!error) exchange();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    ++done_;
    done_or_failed_.notify_all();
  }
}

}  // namespace cograd
