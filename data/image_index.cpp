#include "cograd/data/image_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <string_view>

#include "cograd/data/checksum.h"
#include "cograd/data/image_scan.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "cograd image index 2";
constexpr std::string_view kChecksum = "checksum ";
/// The resolution of a folder's date, in nanoseconds; FAT has the coarsest. Two changes within it
/// may leave the same date.
constexpr std::int64_t kDateStep = 2'000'000'000;

/// A name of any bytes, on one line.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
      if (c == '\\') text += c;
    }
  }
  return text;
}

/// Reads a text line by line, field by field.
class Lines {
 public:
  Lines(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool done() const { return text_.empty(); }
  bool next_begins(std::string_view word) const { return text_.starts_with(word); }
  /// Goes to the next line.
  void next() {
    ++number_;
    const std::size_t end = text_.find('\n');
    check(end != std::string_view::npos, "a line that ends");
    line_ = text_.substr(0, end);
    text_.remove_prefix(end + 1);
  }
  std::string_view rest() const { return line_; }
  /// Removes `word` and a blank from the line.
  void expect(std::string_view word) {
    check(line_.starts_with(word) && line_.substr(word.size()).starts_with(' '), word);
    line_.remove_prefix(word.size() + 1);
  }
  /// Removes a number from the line, and the blank behind it if there is one.
  std::int64_t number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), value);
    line_.remove_prefix(static_cast<std::size_t>(end - line_.data()));
    check(error == std::errc() && (line_.empty() || line_[0] == ' '), "a number");
    if (!line_.empty()) line_.remove_prefix(1);
    return value;
  }
  std::int64_t count() {
    const std::int64_t value = number();
    check(value >= 0, "a count");
    return value;
  }
  /// The rest of the line, as it was before escaped().
  std::string name() const {
    std::string result;
    for (std::size_t i = 0; i < line_.size(); ++i) {
      if (line_[i] != '\\') {
        result += line_[i];
        continue;
      }
      ++i;
      check(i < line_.size() && (line_[i] == '\\' || line_[i] == 'n'), "'\\\\' or '\\n'");
      result += line_[i] == 'n' ? '\n' : '\\';
    }
    return result;
  }
  void check(bool ok, std::string_view expected) const {
    require<FormatError>(ok, "[image index] {}: line {}: expected {}", name_, number_, expected);
  }

 private:
  std::string_view text_, line_;
  const std::string& name_;
  std::int64_t number_ = 0;
};

/// Whether this can be the name of a folder's entry.
bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

bool is_path(std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (!is_name(path.substr(0, end)) || end + 1 == path.size()) return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

ImageIndex::Folder parse_folder(Lines& lines, const ImageIndex::Class& c) {
  lines.expect("folder");
  const std::int64_t files = lines.count();
  ImageIndex::Folder folder{.path = {}, .modified = lines.number(), .files = {}};
  folder.path = lines.name();
  lines.check(c.folders.empty() ? folder.path.empty()
                                : is_path(folder.path) && c.folders.back().path < folder.path,
              "the next folder of the class");
  for (std::int64_t i = 0; i < files; ++i) {
    lines.next();
    ImageIndex::File file;
    file.bytes = lines.count();
    file.modified = lines.number();
    file.name = lines.name();
    const bool next = folder.files.empty() || folder.files.back().name < file.name;
    lines.check(next && is_name(file.name) && is_image_name(file.name), "the next image");
    folder.files.push_back(std::move(file));
  }
  return folder;
}

/// Removes the last line from `text`.
void check_checksum(std::string_view& text, const std::string& name) {
  constexpr std::size_t kDigits = 32;
  const std::size_t length = kChecksum.size() + kDigits + 1;
  const std::size_t begin = text.size() - std::min(text.size(), length);
  const std::string_view last = text.substr(begin);
  text = text.substr(0, begin);
  require<FormatError>(last == fmt::format("{}{}\n", kChecksum, checksum_of(text)),
                       "[image index] {} is damaged: its checksum is not that of its lines", name);
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The cached index, if it is readable and the folder has not changed since.
std::optional<ImageIndex> cached_index(const fs::path& folder, const fs::path& cache) {
  RememberedIndex remembered;
  try {
    remembered = parse_image_index(read_file(cache), printable(cache.native()));
  } catch (const Error&) {
    return std::nullopt;  // not there, damaged, or of another version
  }
  ImageIndex found;
  const std::vector<std::string> names = list_classes(folder, found);
  const auto& classes = remembered.index.classes;
  const auto named = [](const std::string& name, const auto& c) { return name == c.name; };
  if (!std::equal(names.begin(), names.end(), classes.begin(), classes.end(), named)) {
    return std::nullopt;
  }
  for (const ImageIndex::Class& c : classes) {
    for (const ImageIndex::Folder& f : c.folders) {
      const FileStatus status = status_of(folder / c.name / f.path);
      const bool same = status.is_folder && status.modified == f.modified;
      if (!same || f.modified > remembered.scanned - kDateStep) return std::nullopt;
    }
  }
  return std::move(remembered.index);
}

bool is_complete(const ImageIndex& index) {
  for (const ImageIndex::Class& c : index.classes) {
    for (const ImageIndex::Folder& folder : c.folders) {
      for (const ImageIndex::File& file : folder.files) {
        if (file.bytes == ImageIndex::kUnreadable) return false;
      }
    }
  }
  return true;
}

}  // namespace

std::int64_t ImageIndex::Class::images() const {
  std::int64_t count = 0;
  for (const Folder& folder : folders) count += std::ssize(folder.files);
  return count;
}

std::string to_text(const ImageIndex& index, std::int64_t scanned) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}\nscanned {}\nleft_out {} {} {}\n", kHeader, scanned, index.hidden,
                 index.outside, index.lost_links);
  for (const ImageIndex::Class& c : index.classes) {
    fmt::format_to(out, "class {}\n", escaped(c.name));
    for (const auto& [type, count] : c.unread) fmt::format_to(out, "unread {} {}\n", count, type);
    for (const ImageIndex::Folder& folder : c.folders) {
      fmt::format_to(out, "folder {} {} {}\n", folder.files.size(), folder.modified,
                     escaped(folder.path));
      for (const ImageIndex::File& f : folder.files) {
        fmt::format_to(out, "{} {} {}\n", f.bytes, f.modified, escaped(f.name));
      }
    }
  }
  const std::string sum = checksum_of({text.data(), text.size()});
  fmt::format_to(out, "{}{}\n", kChecksum, sum);
  return fmt::to_string(text);
}

RememberedIndex parse_image_index(const std::string& text, const std::string& name) {
  std::string_view body = text;
  check_checksum(body, name);
  Lines lines(body, name);
  lines.next();
  lines.check(lines.rest() == kHeader, kHeader);
  RememberedIndex result;
  lines.next();
  lines.expect("scanned");
  result.scanned = lines.count();
  lines.next();
  lines.expect("left_out");
  ImageIndex& index = result.index;
  for (std::int64_t* count : {&index.hidden, &index.outside, &index.lost_links}) {
    *count = lines.count();
  }
  while (!lines.done()) {
    lines.next();
    lines.expect("class");
    ImageIndex::Class c{.name = lines.name(), .folders = {}};
    lines.check(is_name(c.name) && (index.classes.empty() || index.classes.back().name < c.name),
                "the next class");
    while (lines.next_begins("unread ")) {
      lines.next();
      lines.expect("unread");
      const std::int64_t count = lines.count();
      c.unread[std::string(lines.rest())] = count;
    }
    while (lines.next_begins("folder ")) {
      lines.next();
      c.folders.push_back(parse_folder(lines, c));
    }
    lines.check(!c.folders.empty(), "a folder of the class");
    index.classes.push_back(std::move(c));
  }
  return result;
}

ImageIndex open_image_index(const fs::path& folder, const fs::path& cache) {
  if (auto index = cached_index(folder, cache)) return *std::move(index);
  const std::int64_t before = now();
  ImageIndex index = scan_image_folder(folder);
  // An unreadable file may become readable without a change of its folder's date.
  if (!is_complete(index)) return index;
  try {
    write_file(cache, to_text(index, before));
  } catch (const IoError&) {  // the next run scans again
  }
  return index;
}

}  // namespace cograd
