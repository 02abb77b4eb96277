#include "cograd/experiments/grid/worker.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/grid/message.h"

namespace cograd {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTellEvery = std::chrono::milliseconds(100);

void tell(int descriptor, const Message& message) {
  const std::string line = encoded(message);
  if (!write_all(descriptor, line.data(), line.size())) ::_exit(EXIT_FAILURE);  // nobody reads
}

/// Sends what is shown, seldom enough to cost nothing.
class WorkerProgress final : public Progress {
 public:
  explicit WorkerProgress(int descriptor) : descriptor_(descriptor) {}

  void advance(std::int64_t done) override {
    done_ += done;
    if (Clock::now() - told_ >= kTellEvery) flush();
  }
  void skip(std::int64_t done) override { tell(descriptor_, {Message::Kind::skip, done}); }
  void stalled(double seconds) override { stalled_ += seconds; }
  void note(const std::string& text) override { tell(descriptor_, {Message::Kind::note, 0, text}); }
  void flush() {
    const auto stalled = static_cast<std::int64_t>(1e6 * stalled_);
    if (stalled > 0) tell(descriptor_, {Message::Kind::stalled, stalled});
    if (done_ > 0) tell(descriptor_, {Message::Kind::advance, done_});
    stalled_ = 0.0;
    done_ = 0;
    told_ = Clock::now();
  }

 private:
  int descriptor_;
  std::int64_t done_ = 0;
  double stalled_ = 0.0;
  Clock::time_point told_ = Clock::now();
};

/// Waits for the next command; nothing when there will be none.
std::optional<Message> receive(int descriptor, MessageReader& reader) {
  for (;;) {
    if (std::optional<Message> message = reader.next()) return message;
    std::array<char, 256> bytes{};
    const ssize_t got = ::read(descriptor, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    reader.add({bytes.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

std::optional<WorkerPlace> worker_place() {
  const char* const text = std::getenv(kWorkerVariable);
  if (text == nullptr) return std::nullopt;
  WorkerPlace place;
  int used = 0;
  const int read =
      std::sscanf(text, "%d,%d,%d,%n", &place.commands, &place.messages, &place.threads, &used);
  require<ValueError>(read == 3 && used > 0 && text[used] != '\0',
                      "[jobs] {} is '{}': studies set it for their workers", kWorkerVariable, text);
  place.folder = text + used;
  return place;
}

void serve(const WorkerPlace& place, const std::function<void(std::size_t, Progress&)>& run) {
  const InterruptionScope interruptible;
  WorkerProgress progress(place.messages);
  try {
    MessageReader reader;
    tell(place.messages, {Message::Kind::ready});
    while (const std::optional<Message> command = receive(place.commands, reader)) {
      check_interruption();
      run(static_cast<std::size_t>(command->number), progress);
      progress.flush();
      tell(place.messages, {Message::Kind::done});
    }
  } catch (const Interrupted& interruption) {
    tell(place.messages, {Message::Kind::interrupted, interruption.signal(), interruption.what()});
  } catch (const std::exception& error) {
    tell(place.messages, {Message::Kind::error, 0, error.what()});
  }
  ::_exit(EXIT_SUCCESS);
}

}  // namespace cograd
