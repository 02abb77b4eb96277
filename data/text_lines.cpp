#include "data/text_lines.h"

#include <algorithm>
#include <string_view>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/text.h"

namespace cograd {

std::vector<std::string> read_text_lines(const std::filesystem::path& path) {
  constexpr std::string_view kUtf8 = "\xEF\xBB\xBF", kLittle = "\xFF\xFE", kBig = "\xFE\xFF";
  const std::string content = read_file(path);
  std::string_view text = content;
  require<FormatError>(!text.starts_with(kLittle) && !text.starts_with(kBig),
                       "[text] {} is UTF-16: expected UTF-8, as iconv -f UTF-16 -t UTF-8 makes it",
                       printable(path.native()));
  require<FormatError>(text.find('\0') == std::string_view::npos,
                       "[text] {} holds zero bytes: expected text in UTF-8",
                       printable(path.native()));
  if (text.starts_with(kUtf8)) text.remove_prefix(kUtf8.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace cograd
