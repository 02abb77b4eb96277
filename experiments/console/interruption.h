// SIGINT and SIGTERM while runs are trained: the run ends after a checkpoint.
#pragma once

#include <csignal>
#include <stdexcept>

namespace cograd {

/// A signal has asked the program to end; what() says where it stands.
class Interrupted : public std::runtime_error {
 public:
  Interrupted(int signal, const std::string& where) : std::runtime_error(where), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// While one is alive, the first SIGINT or SIGTERM is noted, and a second one ends the program at
/// once. A signal that was ignored before stays ignored (nohup).
class InterruptionScope {
 public:
  InterruptionScope();
  ~InterruptionScope();
  InterruptionScope(const InterruptionScope&) = delete;
  InterruptionScope& operator=(const InterruptionScope&) = delete;

 private:
  struct sigaction before_[2];
};

/// Throws Interrupted if a signal was noted.
void check_interruption();

}  // namespace cograd
