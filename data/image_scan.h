// What an image folder holds, by torchvision's rules: ImageFolder of
// torchvision/datasets/folder.py.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_index.h"

namespace cograd {

/// Of a file or folder, where links lead.
struct FileStatus {
  bool exists = false, is_folder = false, is_file = false;
  std::int64_t bytes = 0, modified = 0;  ///< nanoseconds
};
FileStatus status_of(const std::filesystem::path& path);

/// Whether there is such a folder. Throws IoError when that cannot be told, as for a loop of links.
bool is_folder(const std::filesystem::path& path);

/// Whether a file of this name is read: .jpg, .jpeg or .png, in any case of letters, not hidden.
bool is_image_name(std::string_view name);

/// The folders in `folder`, sorted; what else is there is counted in `index`. Throws IoError for a
/// folder that cannot be read.
std::vector<std::string> list_classes(const std::filesystem::path& folder, ImageIndex& index);

/// The images of all classes of `folder`, also in folders within them, and where links lead. As
/// torchvision has them, they are sorted by folder, then by name. Hidden files and folders, and
/// what archives and systems leave (__MACOSX and the like), do not count. Throws IoError when a
/// folder cannot be read or there is no class, FormatError for a folder that holds itself.
ImageIndex scan_image_folder(const std::filesystem::path& folder);

}  // namespace cograd
