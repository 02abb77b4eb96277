#include "data/index_file.h"

#include <charconv>
#include <fstream>
#include <iterator>

#include "engine/error.h"

namespace cograd {
namespace {

constexpr std::string_view kHeader = "index";

}  // namespace

void write_index_file(const std::filesystem::path& path, const std::vector<std::int64_t>& indices) {
  std::ofstream out(path, std::ios::binary);
  out << kHeader << '\n';
  for (const std::int64_t index : indices) out << index << '\n';
  out.close();
  require<IoError>(out.good(), "[index file] cannot write {}", path.string());
}

std::vector<std::int64_t> read_index_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  require<IoError>(in.is_open() && !in.bad(), "[index file] cannot read {}", path.string());
  return parse_index_file(text, path.string());
}

std::vector<std::int64_t> parse_index_file(std::string_view text, const std::string& name) {
  require<FormatError>(!text.empty(), "[index file] {} is empty: expected the line '{}'", name,
                       kHeader);
  std::vector<std::int64_t> indices;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1) {
      require<FormatError>(line == kHeader, "[index file] {} begins with '{}': expected '{}'", name,
                           line.substr(0, 40), kHeader);
      continue;
    }
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), index);
    require<FormatError>(error == std::errc() && end == line.data() + line.size() && index >= 0,
                         "[index file] {}: line {}: '{}' is not an index", name, number,
                         line.substr(0, 40));
    indices.push_back(index);
  }
  return indices;
}

}  // namespace cograd
