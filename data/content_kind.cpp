#include "data/content_kind.h"

#include <array>
#include <utility>

namespace cograd {

std::string_view what_it_is(std::string_view first_bytes) {
  using namespace std::string_view_literals;
  constexpr std::array kinds{
      std::pair{"\x1F\x8B"sv, "it is compressed by gzip"sv},
      std::pair{"BZh"sv, "it is compressed by bzip2"sv},
      std::pair{"\xFD\x37zXZ"sv, "it is compressed by xz"sv},
      std::pair{"\x28\xB5\x2F\xFD"sv, "it is compressed by zstd"sv},
      std::pair{"PK\x03\x04"sv, "it is a zip archive"sv},
      std::pair{"\x80\x02"sv, "it is a Python pickle"sv},
      std::pair{"\x80\x03"sv, "it is a Python pickle"sv},
      std::pair{"\x80\x04"sv, "it is a Python pickle"sv},
      std::pair{"\x80\x05"sv, "it is a Python pickle"sv},
      std::pair{"\x93NUMPY"sv, "it is a NumPy array"sv},
      std::pair{"MATLAB"sv, "it is a file of Matlab's"sv},
      std::pair{"\x89PNG"sv, "it is a PNG image"sv},
      std::pair{"\xFF\xD8\xFF"sv, "it is a JPEG image"sv},
      std::pair{"<!"sv, "it is a web page"sv},
      std::pair{"<html"sv, "it is a web page"sv},
      std::pair{"<HTML"sv, "it is a web page"sv},
      std::pair{"<?xml"sv, "it is XML"sv},
      std::pair{"version https://git-lfs"sv, "it is a pointer of Git LFS, not the file itself"sv},
  };
  if (first_bytes.empty()) return "it is empty";
  for (const auto& [begin, kind] : kinds) {
    if (first_bytes.starts_with(begin)) return kind;
  }
  return "";
}

}  // namespace cograd
