#include "cograd/experiments/grid/workers.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/grid/message.h"
#include "cograd/experiments/grid/worker.h"

extern char** environ;

namespace cograd {
namespace {

constexpr int kLookEvery = 200;  // milliseconds between looks at signals

char* const* arguments = nullptr;

struct Worker {
  pid_t pid = -1;
  int commands = -1, messages = -1;
  MessageReader reader{};
  std::optional<std::size_t> run{};
};

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  require<IoError>(::pipe2(ends.data(), O_CLOEXEC) == 0, "[jobs] cannot make a pipe: {}",
                   std::strerror(errno));
  return ends;
}

/// In the new process, where only what is safe in a signal handler may be called.
[[noreturn]] void become_worker(pid_t parent, int commands, int messages,
                                char* const* environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::setpgid(0, 0);  // Ctrl-C reaches the study, which tells its workers
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::fcntl(commands, F_SETFD, 0);
  ::fcntl(messages, F_SETFD, 0);
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

Worker start_worker(const Crew& crew) {
  const std::array<int, 2> commands = make_pipe(), messages = make_pipe();
  std::string place = fmt::format("{}={},{},{},{}", kWorkerVariable, commands[0], messages[1],
                                  crew.threads, crew.folder.native());
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  environment.push_back(place.data());
  environment.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become_worker(parent, commands[0], messages[1], environment.data());
  const int failure = errno;
  ::close(commands[0]);
  ::close(messages[1]);
  require<IoError>(pid > 0, "[jobs] cannot start a process: {}", std::strerror(failure));
  return {.pid = pid, .commands = commands[1], .messages = messages[0]};
}

std::string ending_text(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("its process was ended by signal {} ({}){}", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)),
                       WTERMSIG(status) == SIGKILL ? ", perhaps for lack of memory" : "");
  }
  return fmt::format("its process ended with status {}", WEXITSTATUS(status));
}

class Workers {
 public:
  Workers(const Crew& crew, RunQueue& queue, ProgressDisplay& display,
          const std::function<std::string(std::size_t)>& label)
      : crew_(crew), queue_(queue), display_(display), label_(label) {}

  ~Workers() {  // some are left if an exception passes
    for (Worker& worker : workers_) {
      ::kill(worker.pid, SIGKILL);
      ::waitpid(worker.pid, nullptr, 0);
      close_pipes(worker);
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  std::map<std::size_t, std::string> operator()() {
    for (int job = 0; job < crew_.jobs; ++job) start_if_needed();
    while (!workers_.empty()) {
      if (const int signal = noted_interruption(); signal != 0) stop(signal);
      std::vector<pollfd> waits;
      for (const Worker& worker : workers_) waits.push_back({worker.messages, POLLIN, 0});
      if (::poll(waits.data(), waits.size(), kLookEvery) <= 0) continue;
      auto worker = workers_.begin();
      for (const pollfd& wait : waits) {
        const auto one = worker++;
        if (wait.revents != 0 && !listen(*one)) bury(one);
      }
    }
    require<IoError>(error_.empty(), "{}", error_);
    if (signal_ != 0) {
      throw Interrupted(signal_, places_.empty() ? "before its first checkpoint"
                                                 : fmt::format("{}", fmt::join(places_, ", ")));
    }
    return std::move(crashes_);
  }

 private:
  /// The next run goes to the worker that is ready first.
  void start_if_needed() {
    const std::optional<std::size_t> run = queue_.next();
    if (!run) return;
    waiting_.push_back(*run);
    workers_.push_back(start_worker(crew_));
  }

  std::optional<std::size_t> take() {
    if (stopping_) return std::nullopt;
    if (waiting_.empty()) return queue_.next();
    const std::size_t run = waiting_.front();
    waiting_.pop_front();
    return run;
  }

  /// False when the worker has ended.
  bool listen(Worker& worker) {
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(worker.messages, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    worker.reader.add({bytes.data(), static_cast<std::size_t>(got)});
    while (const std::optional<Message> message = worker.reader.next()) hear(worker, *message);
    return true;
  }

  void hear(Worker& worker, const Message& message) {
    using Kind = Message::Kind;
    const std::size_t run = worker.run.value_or(0);
    switch (message.kind) {
      case Kind::ready:
        return give_run(worker);
      case Kind::done:
        display_.end(run);
        return give_run(worker);
      case Kind::advance:
        return display_.advance(run, message.number);
      case Kind::skip:
        return display_.skip(run, message.number);
      case Kind::stalled:
        return display_.stalled(static_cast<double>(message.number) * 1e-6);
      case Kind::note:
        return display_.note(message.text);
      case Kind::interrupted:
        if (worker.run) places_.push_back(message.text);
        return stop(static_cast<int>(message.number));
      case Kind::error:
        error_ = message.text;
        return stop(SIGTERM);
      case Kind::run:
        break;
    }
    throw FormatError("[jobs] a worker gave a command");
  }

  void give_run(Worker& worker) {
    worker.run = take();
    if (!worker.run) {
      ::close(std::exchange(worker.commands, -1));  // it ends
      return;
    }
    display_.begin(*worker.run, label_(*worker.run));
    const std::string line = encoded({Message::Kind::run, static_cast<std::int64_t>(*worker.run)});
    write_all(worker.commands, line.data(), line.size());  // its end is seen when it is read from
  }

  /// All workers end after a checkpoint.
  void stop(int signal) {
    if (std::exchange(stopping_, true)) return;
    signal_ = signal;
    for (const Worker& worker : workers_) ::kill(worker.pid, SIGTERM);
  }

  void bury(std::list<Worker>::iterator worker) {
    int status = 0;
    while (::waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
    }
    const Worker dead = std::move(*worker);
    close_pipes(dead);
    workers_.erase(worker);
    if (stopping_ || (!dead.run && WIFEXITED(status) && WEXITSTATUS(status) == 0)) return;
    if (!dead.run) {
      if (error_.empty()) {
        error_ = fmt::format("[jobs] a worker did not begin: {}", ending_text(status));
      }
      return stop(SIGTERM);
    }
    crashes_[*dead.run] = ending_text(status);
    display_.note(fmt::format("{} failed: {}", label_(*dead.run), crashes_[*dead.run]));
    display_.end(*dead.run);
    start_if_needed();
  }

  static void close_pipes(const Worker& worker) {
    if (worker.commands >= 0) ::close(worker.commands);
    ::close(worker.messages);
  }

  const Crew& crew_;
  RunQueue& queue_;
  ProgressDisplay& display_;
  const std::function<std::string(std::size_t)>& label_;
  std::list<Worker> workers_;
  std::deque<std::size_t> waiting_;  // taken from the queue for workers that start
  std::map<std::size_t, std::string> crashes_;
  std::vector<std::string> places_;  // where workers stopped
  std::string error_;
  int signal_ = 0;
  bool stopping_ = false;
};

}  // namespace

void workers_run(char* const* argv) { arguments = argv; }
bool can_start_workers() { return arguments != nullptr; }

std::map<std::size_t, std::string> run_in_workers(
    const Crew& crew, RunQueue& queue, ProgressDisplay& display,
    const std::function<std::string(std::size_t)>& label) {
  return Workers(crew, queue, display, label)();
}

}  // namespace cograd
