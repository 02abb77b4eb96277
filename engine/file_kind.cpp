#include "engine/file_kind.h"

#include <algorithm>
#include <string>

#include "engine/text.h"

namespace cograd {
namespace {

using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes, kind;
};

constexpr Magic kMagic[] = {
    {"PK\x03\x04"sv, "a zip archive, as torch.save() makes"},
    {"\x80\x02"sv, "a Python pickle"},
    {"\x80\x03"sv, "a Python pickle"},
    {"\x80\x04"sv, "a Python pickle"},
    {"\x80\x05"sv, "a Python pickle"},
    {"version https://git-lfs"sv, "a pointer of Git LFS (git lfs pull fetches the file itself)"},
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras makes"},
    {"GGUF"sv, "a GGUF file"},
    {"\x93NUMPY"sv, "a NumPy array"},
    {"\x1f\x8b"sv, "compressed by gzip"},
    {"BZh"sv, "compressed by bzip2"},
    {"\xfd"
     "7zXZ\0"sv,
     "compressed by xz"},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd"},
    {"\xff\xd8\xff"sv, "a JPEG image"},
    {"\x89PNG"sv, "a PNG image"},
    {"GIF8"sv, "a GIF image"},
    {"II*\0"sv, "a TIFF image"},
    {"MM\0*"sv, "a TIFF image"},
    {"%PDF"sv, "a PDF document"},
};

/// `text` in lower case, without a byte order mark and spaces in front.
std::string plain(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_text(std::string_view head) {
  constexpr std::size_t kLongest = 4;  // bytes of a character, which may be cut off at the end
  if (head.size() >= kKindBytes) head.remove_suffix(kLongest);
  std::string shown;
  for (const char c : head) {
    if (c != '\n' && c != '\r' && c != '\t') shown += c;
  }
  while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0x80)) shown.pop_back();
  return !shown.empty() && printable(shown) == shown;
}

}  // namespace

std::string_view kind_of_content(std::string_view head) {
  head = head.substr(0, kKindBytes);
  if (head.empty()) return "empty";
  for (const Magic& magic : kMagic) {
    if (head.starts_with(magic.bytes)) return magic.kind;
  }
  if (head.starts_with("RIFF") && head.substr(0, 12).ends_with("WEBP")) return "a WebP image";
  constexpr std::size_t kTarMagic = 257;
  if (head.size() > kTarMagic && head.substr(kTarMagic).starts_with("ustar")) {
    return "a tar archive";
  }
  const std::string text = plain(head);
  if (text.starts_with("<!doctype html") || text.starts_with("<html")) return "a web page (HTML)";
  if (!is_text(head)) return "";
  if (text.starts_with("<")) return "XML or a web page (HTML)";
  if (text.starts_with("{") || text.starts_with("[")) return "JSON";
  return "text";
}

}  // namespace cograd
