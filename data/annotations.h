// Tiny ImageNet's table of the classes of its validation images, val_annotations.txt.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

struct Annotation {
  std::string file, wnid;
  friend bool operator==(const Annotation&, const Annotation&) = default;
};

/// A line is "val_0.JPEG n03444034 0 32 44 62", between tabs or blanks: file, class and a box that
/// is of no use here. Throws FormatError naming `name` and the line that is none or repeats a file.
std::vector<Annotation> parse_annotations(std::string_view text, const std::string& name);

/// Of a file. Throws IoError, too.
std::vector<Annotation> read_annotations(const std::filesystem::path& path);

}  // namespace cograd
