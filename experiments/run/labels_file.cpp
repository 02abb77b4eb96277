#include "experiments/run/labels_file.h"

#include <string_view>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/file_kind.h"
#include "engine/text.h"

namespace cograd {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

void append_utf8(std::string& text, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  const auto rest = [&](int shift) { byte(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6), rest(0);
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12), rest(6), rest(0);
  } else {
    byte(0xF0 | code >> 18), rest(12), rest(6), rest(0);
  }
}

/// A half of a pair that has lost the other stays what it is, which is no UTF-8.
std::string from_utf16(std::string_view bytes, bool big_endian) {
  const auto unit = [&](std::size_t i) {
    const auto first = static_cast<std::uint8_t>(bytes[i]),
               second = static_cast<std::uint8_t>(bytes[i + 1]);
    return static_cast<std::uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t code = unit(i);
    if (code >= 0xD800 && code < 0xDC00 && i + 3 < bytes.size()) {
      const std::uint32_t low = unit(i + 2);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        i += 2;
      }
    }
    append_utf8(text, code);
  }
  return text;
}

std::string decoded(std::string bytes) {
  if (bytes.starts_with("\xff\xfe")) return from_utf16(std::string_view(bytes).substr(2), false);
  if (bytes.starts_with("\xfe\xff")) return from_utf16(std::string_view(bytes).substr(2), true);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.erase(0, 3);
  return bytes;
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t") == line.npos; }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\r\n");
    lines.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  while (!lines.empty() && is_blank(lines.back())) lines.pop_back();
  return lines;
}

}  // namespace

std::vector<std::string> read_labels(const std::filesystem::path& path, std::int64_t classes) {
  const std::string file = printable(path.native());
  const std::string bytes = read_file(path, kMostBytes);
  const std::string_view kind = kind_of_content(bytes);
  const std::string text = decoded(bytes);
  require<FormatError>(text.find('\0') == text.npos,
                       "[labels] {} {}: expected text, the name of a class on each line", file,
                       kind.empty() ? "holds zero bytes" : fmt::format("is {}", kind));
  std::vector<std::string> names = lines_of(text);
  const bool other = !kind.empty() && kind != "text";
  require<FormatError>(std::ssize(names) == classes,
                       "[labels] {} has {} lines{}: expected one for each of {} classes", file,
                       names.size(), other ? fmt::format(", since it is {}", kind) : "", classes);
  for (std::size_t i = 0; i < names.size(); ++i) {
    require<FormatError>(!is_blank(names[i]), "[labels] {}: line {} of {} is blank", file, i + 1,
                         names.size());
  }
  return names;
}

void require_same_names(const std::vector<std::string>& labels, const std::filesystem::path& path,
                        const std::vector<std::string>& names, const std::string& weights) {
  for (std::size_t i = 0; i < labels.size() && i < names.size(); ++i) {
    const std::string label = printable(labels[i]), name = printable(names[i]);
    require<FormatError>(label == name, "[labels] {} calls class {} '{}', but {} calls it '{}'",
                         printable(path.native()), i, label, weights, name);
  }
}

}  // namespace cograd
