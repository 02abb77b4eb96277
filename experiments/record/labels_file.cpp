#include "cograd/experiments/record/labels_file.h"

#include <string_view>

#include "cograd/data/text_lines.h"
#include "cograd/engine/content_kind.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

std::vector<std::string> read_labels(const std::filesystem::path& path, std::int64_t classes) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
  const std::string file = printable(path.native());
  const std::string bytes = read_file(path, kMostBytes);
  std::vector<std::string> names = text_lines(bytes, file);
  while (!names.empty() && is_blank(names.back())) names.pop_back();
  const std::string_view kind = what_it_is(bytes);
  require<FormatError>(
      std::ssize(names) == classes,
      "[labels] {} has {} lines{}: expected one for each of {} classes", file, names.size(),
      kind.empty() || kind == "it is text" ? "" : fmt::format(" ({})", kind), classes);
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
