#include "cograd/experiments/grid/message.h"

#include <fmt/format.h>

#include <charconv>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr std::string_view kKinds = "ryaswndie";

}  // namespace

std::string encoded(const Message& message) {
  return fmt::format("{} {} {}\n", static_cast<char>(message.kind), message.number,
                     printable(message.text));
}

std::optional<Message> MessageReader::next() {
  const std::size_t end = bytes_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string line = bytes_.substr(0, end);
  bytes_.erase(0, end + 1);
  Message message;
  const char* const last = line.data() + line.size();
  bool good = line.size() >= 4 && line[1] == ' ' && kKinds.find(line[0]) != std::string_view::npos;
  if (good) {
    message.kind = static_cast<Message::Kind>(line[0]);
    const auto [rest, error] = std::from_chars(line.data() + 2, last, message.number);
    good = error == std::errc() && rest != last && *rest == ' ' && message.number >= 0;
    if (good) message.text.assign(rest + 1, last);
  }
  require<FormatError>(good, "[jobs] '{}' is no message of a worker", printable(line));
  return message;
}

}  // namespace cograd
