#include "cograd/data/annotations.h"

#include <algorithm>
#include <unordered_set>

#include "cograd/data/text_lines.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {

std::vector<Annotation> parse_annotations(std::string_view text, const std::string& name) {
  std::vector<Annotation> annotations;
  std::unordered_set<std::string> known;
  std::int64_t number = 0;
  for (const std::string& line : text_lines(text, name)) {
    ++number;
    const auto check = [&](bool ok, const std::string& what) {
      require<FormatError>(ok, "[annotations] {}: line {}: {}", name, number, what);
    };
    const char between = line.find('\t') != std::string::npos ? '\t' : ' ';
    const std::string file = line.substr(0, line.find(between));
    const std::string rest = line.substr(std::min(line.size(), file.size() + 1));
    const std::string wnid = rest.substr(0, rest.find(between));
    check(!file.empty() && !wnid.empty() && file.find('/') == std::string::npos,
          "expected a file name and a class");
    check(known.insert(file).second, printable(file) + " is listed twice");
    annotations.push_back({file, wnid});
  }
  return annotations;
}

std::vector<Annotation> read_annotations(const std::filesystem::path& path) {
  return parse_annotations(read_file(path), printable(path.native()));
}

}  // namespace cograd
