// What a study and its workers tell each other: one line a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cograd {

struct Message {
  enum class Kind : char {
    run = 'r',          ///< to a worker: do run `number`
    ready = 'y',        ///< from it: it waits for its first run
    advance = 'a',      ///< `number` examples of its run are done
    skip = 's',         ///< `number` examples are left out, done before
    stalled = 'w',      ///< it waited `number` microseconds for data
    note = 'n',         ///< `text` for the user
    done = 'd',         ///< the run is over and its files are on disk
    interrupted = 'i',  ///< signal `number` stopped the run; `text` says where
    error = 'e',        ///< `text` concerns all runs, as a full disk
  };
  Kind kind = Kind::ready;
  std::int64_t number = 0;
  std::string text{};
  friend bool operator==(const Message&, const Message&) = default;
};

/// "KIND NUMBER TEXT\n"; the text without characters that are no print.
std::string encoded(const Message& message);

/// Makes messages of the bytes that come.
class MessageReader {
 public:
  void add(std::string_view bytes) { bytes_ += bytes; }
  /// The next whole message. Throws FormatError for a line that is none.
  std::optional<Message> next();

 private:
  std::string bytes_;
};

}  // namespace cograd
