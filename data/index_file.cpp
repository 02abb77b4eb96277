#include "cograd/data/index_file.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "cograd/data/data_identity.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr std::string_view kIndex = "index";
constexpr std::string_view kHeader = "index,set";
constexpr std::size_t kMostShown = 40;

/// Whether `text` can be a DataIdentity::word(); it then fits a table and a message.
bool is_word(std::string_view text) {
  return text.size() <= 200 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '/';
         });
}

/// The difference between two sets, by their words.
std::string_view difference(std::string_view one, std::string_view other) {
  const auto name = [](std::string_view word) { return word.substr(0, word.find('/')); };
  const auto size = [](std::string_view word) { return word.substr(0, word.rfind('/')); };
  return name(one) != name(other)   ? "another set"
         : size(one) != size(other) ? "another number of examples"
                                    : "other files, images, labels or class names";
}

}  // namespace

std::int64_t IndexFile::examples_of_set() const {
  const std::size_t begin = set.find('/') + 1, end = set.rfind('/');
  std::int64_t examples = 0;
  if (begin == 0 || end <= begin) return 0;
  const auto [stop, error] = std::from_chars(set.data() + begin, set.data() + end, examples);
  return error == std::errc() && stop == set.data() + end && examples > 0 ? examples : 0;
}

void write_index_file(const std::filesystem::path& path, const IndexFile& content) {
  OutputFile out(path);
  std::string text = fmt::format("{}\n", kHeader);
  for (std::size_t i = 0; i < content.indices.size(); ++i) {
    text += fmt::format("{},{}\n", content.indices[i], i == 0 ? content.set : "");
  }
  out.write(text);
  out.commit();
}

IndexFile read_index_file(const std::filesystem::path& path) {
  return parse_index_file(read_file(path), printable(path.native()));
}

IndexFile parse_index_file(std::string_view text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  require<FormatError>(!text.empty(), "[index file] {} is empty: expected the line '{}'", name,
                       kIndex);
  IndexFile content;
  std::unordered_set<std::int64_t> known;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string shown = printable(line.substr(0, kMostShown));
    if (number == 1) {
      require<FormatError>(line == kHeader || line == kIndex,
                           "[index file] {} begins with '{}': expected '{}' or '{}'", name, shown,
                           kIndex, kHeader);
      continue;
    }
    const std::string_view cell = line.substr(0, line.find(','));
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), index);
    require<FormatError>(error == std::errc() && end == cell.data() + cell.size() && index >= 0,
                         "[index file] {}: line {}: '{}' is not an index", name, number, shown);
    require<FormatError>(known.insert(index).second, "[index file] {}: line {}: {} is there twice",
                         name, number, index);
    const std::string_view set = cell.size() < line.size() ? line.substr(cell.size() + 1) : "";
    require<FormatError>(is_word(set) && (set.empty() || number == 2 || set == content.set),
                         "[index file] {}: line {}: '{}' names no set, or another one", name,
                         number, shown);
    if (number == 2) content.set = set;
    content.indices.push_back(index);
  }
  return content;
}

void check_index_file(const IndexFile& file, const std::filesystem::path& path,
                      const Dataset& data) {
  const DataIdentity whole = identity_of(data.whole());
  const std::string set = whole.word();
  require<ValueError>(file.set.empty() || file.set == set,
                      "[index file] {} counts in {}, but the data are {}: {}",
                      printable(path.native()), file.set, set, difference(file.set, set));
  for (const std::int64_t index : file.indices) {
    require<ValueError>(index < whole.examples,
                        "[index file] {} names example {}: {} has {}, counted from 0",
                        printable(path.native()), index, whole.kind, whole.examples);
  }
}

}  // namespace cograd
