// Scans an image folder by the rules of torchvision's ImageFolder (torchvision/datasets/folder.py).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/data/image_index.h"

namespace cograd {

/// The status of a file or folder; links are followed.
struct FileStatus {
  bool exists = false, is_folder = false, is_file = false;
  std::int64_t bytes = 0, modified = 0;  ///< nanoseconds
};
FileStatus status_of(const std::filesystem::path& path);

/// Whether this is a folder. Throws IoError if that cannot be determined, as for a loop of links.
bool is_folder(const std::filesystem::path& path);

/// Whether a file of this name is read: not hidden, and .jpg, .jpeg or .png in any letter case.
bool is_image_name(std::string_view name);

/// The names of the folders in `folder`, sorted. Other entries are counted in `index`. Throws
/// IoError if the folder is unreadable.
std::vector<std::string> list_classes(const std::filesystem::path& folder, ImageIndex& index);

/// The images of all classes of `folder`, in nested folders and behind links, too, sorted by
/// folder, then by name, as torchvision does. Hidden entries and leftovers of archives and systems
/// (__MACOSX and the like) are left out. Throws IoError if a folder is unreadable or there is no
/// class, FormatError for a folder that contains itself.
ImageIndex scan_image_folder(const std::filesystem::path& folder);

}  // namespace cograd
