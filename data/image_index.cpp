#include "data/image_index.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "engine/error.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "cograd image index 1";

struct Status {
  bool exists = false;
  std::int64_t bytes = 0, modified = 0;
};

Status status_of(const fs::path& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return {};
  return {true, s.st_size, std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec};
}

bool is_image(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

/// Names in `folder` that are not hidden, sorted.
std::vector<std::string> names_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.starts_with('.')) continue;
    require<ValueError>(name.find('\n') == std::string::npos,
                        "[image folder] {} holds a name with a line break", folder.string());
    names.push_back(std::move(name));
  }
  require<IoError>(!error, "[image folder] {} cannot be read: {}", folder.string(),
                   error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// The files of one class. Tiny ImageNet has them in a folder of their own, "images".
ImageIndex::Class scan_class(const fs::path& folder, const std::string& name) {
  const bool nested = fs::is_directory(folder / "images");
  const fs::path holder = nested ? folder / "images" : folder;
  ImageIndex::Class result{.name = name, .modified = modified_at(holder), .files = {}};
  for (const std::string& file : names_in(holder)) {
    if (!is_image(file)) continue;
    const Status status = status_of(holder / file);
    result.files.push_back({nested ? "images/" + file : file, status.bytes, status.modified});
  }
  return result;
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
  std::vector<std::string> found;
  for (std::string& name : names_in(folder)) {
    if (fs::is_directory(folder / name)) found.push_back(std::move(name));
  }
  if (found.size() != index.classes.size()) return std::nullopt;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const ImageIndex::Class& c = index.classes[i];
    const bool nested = !c.files.empty() && c.files[0].path.starts_with("images/");
    const fs::path holder = nested ? folder / c.name / "images" : folder / c.name;
    if (c.name != found[i] || c.modified != modified_at(holder)) return std::nullopt;
  }
  return index;
}

}  // namespace

std::int64_t modified_at(const fs::path& path) { return status_of(path).modified; }

ImageIndex scan_image_folder(const fs::path& folder) {
  ImageIndex index;
  for (const std::string& name : names_in(folder)) {
    if (fs::is_directory(folder / name)) index.classes.push_back(scan_class(folder / name, name));
  }
  require<IoError>(!index.classes.empty(),
                   "[image folder] {} holds no folders: expected one for each class",
                   folder.string());
  return index;
}

std::string to_text(const ImageIndex& index) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}\n", kHeader);
  for (const ImageIndex::Class& c : index.classes) {
    fmt::format_to(out, "class {} {} {}\n", c.files.size(), c.modified, c.name);
    for (const ImageIndex::File& f : c.files) {
      fmt::format_to(out, "{} {} {}\n", f.bytes, f.modified, f.path);
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
    const std::int64_t files = lines.number();
    ImageIndex::Class& c = index.classes.emplace_back();
    c.modified = lines.number();
    c.name = lines.rest();
    for (std::int64_t i = 0; i < files; ++i) {
      lines.next();
      ImageIndex::File& f = c.files.emplace_back();
      f.bytes = lines.number();
      f.modified = lines.number();
      f.path = lines.rest();
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
