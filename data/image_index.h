// The list of a folder's image files, and a file that caches it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cograd {

/// The image files of one split of an image folder, FOLDER/CLASS/.../FILE. Names are bytes.
struct ImageIndex {
  /// The size of an entry that cannot be examined or is no file.
  static constexpr std::int64_t kUnreadable = -1;

  struct File {
    std::string name;
    std::int64_t bytes = 0;
    std::int64_t modified = 0;  ///< nanoseconds
    friend bool operator==(const File&, const File&) = default;
  };
  struct Folder {
    std::string path;  ///< below that of the class, which is "" itself
    std::int64_t modified = 0;
    std::vector<File> files;  ///< sorted by name
    friend bool operator==(const Folder&, const Folder&) = default;
  };
  struct Class {
    std::string name;
    std::vector<Folder> folders;  ///< sorted by path
    /// Images of types that are not decoded, by type: {".webp", 3}.
    std::map<std::string, std::int64_t> unread{};

    std::int64_t images() const;
    friend bool operator==(const Class&, const Class&) = default;
  };

  std::vector<Class> classes;   ///< sorted by name
  std::int64_t hidden = 0;      ///< hidden folders and images, and those that archives leave
  std::int64_t outside = 0;     ///< images in no class
  std::int64_t lost_links = 0;  ///< links that lead nowhere and are not named as images
  friend bool operator==(const ImageIndex&, const ImageIndex&) = default;
};

/// The index as text: a header, the counts of what was left out, and for each class "class NAME",
/// its unread types "unread COUNT TYPE" and its folders, "folder FILES MODIFIED PATH", each with
/// its files, "BYTES MODIFIED NAME". The last line is a checksum. `scanned` is the time of the
/// scan, in nanoseconds.
std::string to_text(const ImageIndex& index, std::int64_t scanned);

struct RememberedIndex {
  ImageIndex index;
  std::int64_t scanned = 0;
};
/// The inverse of to_text(). Accepts only what a scan can give: sorted names that stay in the
/// folder. Throws FormatError naming `name` and the line.
RememberedIndex parse_image_index(const std::string& text, const std::string& name);

/// The index of `folder`: read from the file `cache` if no folder of a class was modified since,
/// else scanned and written to `cache` if possible. ImageFolder::read() checks that the files
/// themselves are unchanged. Throws as scan_image_folder().
ImageIndex open_image_index(const std::filesystem::path& folder,
                            const std::filesystem::path& cache);

}  // namespace cograd
