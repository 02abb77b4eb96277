#include "data/image_index.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/error.h"
#include "engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "cograd image index 2";

struct Status {
  bool exists = false;
  std::int64_t bytes = 0, modified = 0;
};

Status status_of(const fs::path& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return {};
  return {true, s.st_size, std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec};
}

/// The name's end in lower case: ".jpg".
std::string type_of(const std::string& name) {
  std::string type = fs::path(name).extension().native();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

bool is_one_of(const std::string& text, std::initializer_list<const char*> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_image(const std::string& name) {
  return is_one_of(type_of(name), {".jpg", ".jpeg", ".png"});
}

/// What torchvision reads and we do not, and what it does not either.
bool is_unread_image(const std::string& name) {
  return is_one_of(type_of(name), {".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif",
                                   ".avif", ".heic", ".jxl", ".jp2"});
}

/// What archives and systems leave behind.
bool is_junk(const std::string& name) {
  return name.starts_with('.') ||
         is_one_of(name, {"__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "@eaDir",
                          "System Volume Information"});
}

struct Entries {
  std::vector<std::string> folders, files;  // names, sorted
};

Entries entries_of(const fs::path& folder) {
  std::error_code error;
  Entries entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().native();
    if (is_junk(name)) continue;
    std::error_code dangling;  // then it is no folder
    (it->is_directory(dangling) ? entries.folders : entries.files).push_back(std::move(name));
  }
  require<IoError>(!error, "[image folder] {} cannot be read: {}", printable(folder.native()),
                   error.message());
  std::sort(entries.folders.begin(), entries.folders.end());
  std::sort(entries.files.begin(), entries.files.end());
  return entries;
}

/// Walks down from the folder of a class, as os.walk(followlinks=True) does.
class ClassScan {
 public:
  ClassScan(const fs::path& folder, const std::string& name) : root_(folder) {
    found_.name = name;
    walk(".");
    std::sort(folders_.begin() + 1, folders_.end(),  // the class itself comes first
              [](const auto& a, const auto& b) { return a.first.path < b.first.path; });
    for (auto& [f, files] : folders_) {
      found_.folders.push_back(std::move(f));
      std::move(files.begin(), files.end(), std::back_inserter(found_.files));
    }
  }
  ImageIndex::Class take() { return std::move(found_); }

 private:
  void walk(const std::string& path) {
    const fs::path folder = path == "." ? root_ : root_ / path;
    struct stat s {};
    const bool there = ::stat(folder.c_str(), &s) == 0;
    const auto identity = std::pair(s.st_dev, s.st_ino);
    require<IoError>(!there || std::find(above_.begin(), above_.end(), identity) == above_.end(),
                     "[image folder] {} is a link to a folder that it lies in",
                     printable(folder.native()));
    above_.push_back(identity);
    const std::string prefix = path == "." ? "" : path + "/";
    std::pair<ImageIndex::Folder, std::vector<ImageIndex::File>> found{{path, modified_at(folder)},
                                                                       {}};
    const Entries entries = entries_of(folder);
    for (const std::string& file : entries.files) {
      found_.unread += is_unread_image(file);
      if (!is_image(file)) continue;
      const Status status = status_of(folder / file);
      found.second.push_back({prefix + file, status.bytes, status.modified});
    }
    folders_.push_back(std::move(found));
    for (const std::string& below : entries.folders) walk(prefix + below);
    above_.pop_back();
  }

  fs::path root_;
  ImageIndex::Class found_;
  std::vector<std::pair<ImageIndex::Folder, std::vector<ImageIndex::File>>> folders_;
  std::vector<std::pair<dev_t, ino_t>> above_;  // the folders that the walk is in
};

/// A name as a part of a line.
std::string quoted(const std::string& name) {
  std::string text;
  for (const char c : name) text += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  return text;
}

std::string unquoted(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size();
    if (escape) ++i;
    name += escape && text[i] == 'n' ? '\n' : text[i];
  }
  return name;
}

/// Hands out the lines of a text and the numbers at their beginning.
class Lines {
 public:
  Lines(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool done() const { return text_.empty(); }
  /// Goes to the next line.
  void next() {
    ++number_;
    const std::size_t end = text_.find('\n');
    check(end != std::string_view::npos, "a line that ends");
    line_ = text_.substr(0, end);
    text_.remove_prefix(end + 1);
  }
  std::string_view rest() const { return line_; }
  /// Takes `word` and a blank off the line.
  void expect(std::string_view word) {
    check(line_.starts_with(word) && line_.substr(word.size()).starts_with(' '), word);
    line_.remove_prefix(word.size() + 1);
  }
  /// Takes a number and a blank off the line.
  std::int64_t number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), value);
    const auto length = static_cast<std::size_t>(end - line_.data());
    check(error == std::errc() && value >= 0 && length < line_.size() && *end == ' ', "a number");
    line_.remove_prefix(length + 1);
    return value;
  }
  void check(bool ok, std::string_view expected) const {
    require<FormatError>(ok, "[image index] {}: line {}: expected {}", name_, number_, expected);
  }

 private:
  std::string_view text_, line_;
  const std::string& name_;
  std::int64_t number_ = 0;
};

/// The cached index, if it can be read and its classes are those of the folder, unchanged.
std::optional<ImageIndex> cached_index(const fs::path& folder, const fs::path& cache) {
  std::ifstream in(cache, std::ios::binary);
  if (!in) return std::nullopt;
  const std::string text(std::istreambuf_iterator<char>(in), {});
  ImageIndex index;
  try {
    index = parse_image_index(text, cache.string());
  } catch (const FormatError&) {
    return std::nullopt;  // broken off while written, or of another version
  }
  const std::vector<std::string> found = entries_of(folder).folders;
  if (found.size() != index.classes.size()) return std::nullopt;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const ImageIndex::Class& c = index.classes[i];
    if (c.name != found[i] || c.folders.empty()) return std::nullopt;
    for (const ImageIndex::Folder& f : c.folders) {
      if (f.modified != modified_at(folder / c.name / f.path)) return std::nullopt;
    }
  }
  return index;
}

}  // namespace

std::int64_t modified_at(const fs::path& path) { return status_of(path).modified; }

ImageIndex scan_image_folder(const fs::path& folder) {
  ImageIndex index;
  for (const std::string& name : entries_of(folder).folders) {
    index.classes.push_back(ClassScan(folder / name, name).take());
  }
  require<IoError>(!index.classes.empty(),
                   "[image folder] {} holds no folders: expected one for each class",
                   printable(folder.native()));
  return index;
}

std::string to_text(const ImageIndex& index) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}\n", kHeader);
  for (const ImageIndex::Class& c : index.classes) {
    fmt::format_to(out, "class {} {} {} {}\n", c.folders.size(), c.files.size(), c.unread,
                   quoted(c.name));
    for (const ImageIndex::Folder& f : c.folders) {
      fmt::format_to(out, "{} {}\n", f.modified, quoted(f.path));
    }
    for (const ImageIndex::File& f : c.files) {
      fmt::format_to(out, "{} {} {}\n", f.bytes, f.modified, quoted(f.path));
    }
  }
  return fmt::to_string(text);
}

ImageIndex parse_image_index(const std::string& text, const std::string& name) {
  Lines lines(text, name);
  lines.next();
  lines.check(lines.rest() == kHeader, kHeader);
  ImageIndex index;
  while (!lines.done()) {
    lines.next();
    lines.expect("class");
    const std::int64_t folders = lines.number(), files = lines.number();
    ImageIndex::Class& c = index.classes.emplace_back();
    c.unread = lines.number();
    c.name = unquoted(lines.rest());
    for (std::int64_t i = 0; i < folders; ++i) {
      lines.next();
      ImageIndex::Folder& f = c.folders.emplace_back();
      f.modified = lines.number();
      f.path = unquoted(lines.rest());
    }
    for (std::int64_t i = 0; i < files; ++i) {
      lines.next();
      ImageIndex::File& f = c.files.emplace_back();
      f.bytes = lines.number();
      f.modified = lines.number();
      f.path = unquoted(lines.rest());
    }
  }
  return index;
}

ImageIndex open_image_index(const fs::path& folder, const fs::path& cache) {
  if (auto index = cached_index(folder, cache)) return *std::move(index);
  ImageIndex index = scan_image_folder(folder);
  // To a name of its own and renamed: others may read or write the cache at the same time.
  const fs::path temporary = fmt::format("{}.{}", cache.string(), getpid());
  std::ofstream out(temporary, std::ios::binary);
  out << to_text(index);
  out.close();
  std::error_code ignored;  // a folder that cannot be written is scanned every time
  if (out.good()) {
    fs::rename(temporary, cache, ignored);
  } else {
    fs::remove(temporary, ignored);
  }
  return index;
}

}  // namespace cograd
