#include "cograd/experiments/record/checksums.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/data/checksum.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

/// Checksum by name.
using Checksums = std::map<std::string, std::string>;

/// The files of a folder that the list covers.
std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : entries_of(folder)) {
    if (entry.filename() != kChecksumsFile) names.push_back(entry.filename().native());
  }
  return names;
}

Checksums read_checksums(const fs::path& path) {
  constexpr std::size_t kDigits = 32;
  constexpr std::uint64_t kMostBytes = 1 << 20;
  const std::string content = read_file(path, kMostBytes);
  Checksums checksums;
  for (std::string_view text = content; !text.empty();) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    require<FormatError>(end != std::string_view::npos && line.size() > kDigits + 2 &&
                             line.substr(kDigits, 2) == "  ",
                         "[checksums] {} is damaged", printable(path.native()));
    checksums.emplace(line.substr(kDigits + 2), line.substr(0, kDigits));
    text.remove_prefix(end + 1);
  }
  return checksums;
}

}  // namespace

void write_checksums(const fs::path& folder) {
  std::string text;
  for (const std::string& name : files_in(folder)) {
    text += fmt::format("{}  {}\n", checksum_of(read_file(folder / name)), name);
  }
  write_file(folder / kChecksumsFile, text);
}

void check_checksums(const fs::path& folder, bool with_tensors) {
  Checksums checksums = read_checksums(folder / kChecksumsFile);
  for (const std::string& name : files_in(folder)) {
    const auto known = checksums.find(name);
    require<FormatError>(known != checksums.end(), "[checksums] {} is not in the list of {}",
                         printable((folder / name).native()), kChecksumsFile);
    const bool checked = with_tensors || !name.ends_with(".safetensors");
    require<FormatError>(!checked || known->second == checksum_of(read_file(folder / name)),
                         "[checksums] {} is damaged or was changed: its checksum is not that in {}",
                         printable((folder / name).native()), kChecksumsFile);
    checksums.erase(known);
  }
  require<FormatError>(
      checksums.empty(), "[checksums] {} is missing",
      checksums.empty() ? "" : printable((folder / checksums.begin()->first).native()));
}

}  // namespace cograd
