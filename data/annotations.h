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

/// A line is "val_0.JPEG n03444034 0 32 44 62": file, class and a bounding box that is ignored,
/// separated by tabs or blanks. Throws FormatError naming `name` and the line that is malformed or
/// repeats a file.
std::vector<Annotation> parse_annotations(std::string_view text, const std::string& name);

/// The annotations in a file. Also throws IoError.
std::vector<Annotation> read_annotations(const std::filesystem::path& path);

}  // namespace cograd
