#include "cograd/experiments/console/interruption.h"

#include <unistd.h>

#include <array>
#include <atomic>

namespace cograd {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};

std::atomic<int> noted = 0;
static_assert(std::atomic<int>::is_always_lock_free);  // a handler may use it then

void note(int signal) {
  if (noted.exchange(signal) != 0) ::_exit(128 + signal);
}

}  // namespace

InterruptionScope::InterruptionScope() {
  noted = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptionScope::~InterruptionScope() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

int noted_interruption() { return noted; }

void check_interruption() {
  if (const int signal = noted; signal != 0)
    throw Interrupted(signal, "before its first checkpoint");
}

}  // namespace cograd
