#include "cograd/engine/content_kind.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "cograd/engine/text.h"

namespace cograd {
namespace {

using namespace std::string_view_literals;

constexpr std::array kKinds{
    std::pair{"PK\x03\x04"sv, "it is a zip archive"sv},
    std::pair{"\x80\x02"sv, "it is a Python pickle"sv},
    std::pair{"\x80\x03"sv, "it is a Python pickle"sv},
    std::pair{"\x80\x04"sv, "it is a Python pickle"sv},
    std::pair{"\x80\x05"sv, "it is a Python pickle"sv},
    std::pair{"version https://git-lfs"sv, "it is a pointer of Git LFS, not the file itself"sv},
    std::pair{"\x89HDF\r\n\x1A\n"sv, "it is an HDF5 file"sv},
    std::pair{"GGUF"sv, "it is a GGUF file"sv},
    std::pair{"\x93NUMPY"sv, "it is a NumPy array"sv},
    std::pair{"MATLAB"sv, "it is a file of Matlab's"sv},
    std::pair{"\x1F\x8B"sv, "it is compressed by gzip"sv},
    std::pair{"BZh"sv, "it is compressed by bzip2"sv},
    std::pair{"\xFD\x37zXZ"sv, "it is compressed by xz"sv},
    std::pair{"\x28\xB5\x2F\xFD"sv, "it is compressed by zstd"sv},
    std::pair{"\xFF\xD8\xFF"sv, "it is a JPEG image"sv},
    std::pair{"\x89PNG"sv, "it is a PNG image"sv},
    std::pair{"GIF8"sv, "it is a GIF image"sv},
    std::pair{"II*\0"sv, "it is a TIFF image"sv},
    std::pair{"MM\0*"sv, "it is a TIFF image"sv},
    std::pair{"%PDF"sv, "it is a PDF document"sv},
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
  if (head.size() >= kTellingBytes) head.remove_suffix(kLongest);
  std::string shown;
  for (const char c : head) {
    if (c != '\n' && c != '\r' && c != '\t') shown += c;
  }
  while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0x80)) shown.pop_back();
  return !shown.empty() && printable(shown) == shown;
}

}  // namespace

std::string_view what_it_is(std::string_view first_bytes) {
  const std::string_view head = first_bytes.substr(0, kTellingBytes);
  if (head.empty()) return "it is empty";
  for (const auto& [begin, kind] : kKinds) {
    if (head.starts_with(begin)) return kind;
  }
  if (head.starts_with("RIFF") && head.substr(0, 12).ends_with("WEBP")) return "it is a WebP image";
  constexpr std::size_t kTarMagic = 257;
  if (head.size() > kTarMagic && head.substr(kTarMagic).starts_with("ustar")) {
    return "it is a tar archive";
  }
  const std::string text = plain(head);
  if (text.starts_with("<!") || text.starts_with("<html")) return "it is a web page";
  if (text.starts_with("<?xml")) return "it is XML";
  if (!is_text(head)) return "";
  return text.starts_with("{") || text.starts_with("[") ? "it is JSON" : "it is text";
}

}  // namespace cograd
