// SIGINT and SIGTERM during training: the run makes a checkpoint and ends.
#pragma once

#include <csignal>
#include <stdexcept>

namespace cograd {

/// A signal asked the program to end. what() tells the position of the run.
class Interrupted : public std::runtime_error {
 public:
  Interrupted(int signal, const std::string& where) : std::runtime_error(where), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// While alive, notes the first SIGINT or SIGTERM; a second one ends the program at once. An
/// ignored signal stays ignored (nohup).
class InterruptionScope {
 public:
  InterruptionScope();
  ~InterruptionScope();
  InterruptionScope(const InterruptionScope&) = delete;
  InterruptionScope& operator=(const InterruptionScope&) = delete;

 private:
  struct sigaction before_[2];
};

/// The signal that was noted; 0: none.
int noted_interruption();
/// Throws Interrupted if a signal was noted.
void check_interruption();

}  // namespace cograd
