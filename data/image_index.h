// Which image files a folder holds, and a file that remembers it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cograd {

/// The image files of one split of an image folder, FOLDER/CLASS/FILE or FOLDER/CLASS/images/FILE.
struct ImageIndex {
  struct File {
    std::string path;  ///< below the folder of its class
    std::int64_t bytes = 0;
    std::int64_t modified = 0;  ///< nanoseconds
    friend bool operator==(const File&, const File&) = default;
  };
  struct Class {
    std::string name;
    std::int64_t modified = 0;  ///< of the folder that holds the files
    std::vector<File> files;    ///< sorted by name
    friend bool operator==(const Class&, const Class&) = default;
  };
  std::vector<Class> classes;  ///< sorted by name
  friend bool operator==(const ImageIndex&, const ImageIndex&) = default;
};

/// Nanoseconds; 0 if there is no such file.
std::int64_t modified_at(const std::filesystem::path& path);

/// Lists the classes and files of `folder`; hidden ones do not count. Files must end in .jpg, .jpeg
/// or .png, in any case of letters. Throws IoError when the folder cannot be read or holds no
/// class, ValueError for a name with a line break.
ImageIndex scan_image_folder(const std::filesystem::path& folder);

/// The index as text: a header, then for each class "class FILES MODIFIED NAME" and for each of its
/// files "BYTES MODIFIED PATH".
std::string to_text(const ImageIndex& index);
/// The inverse. Throws FormatError, naming `name` and the line.
ImageIndex parse_image_index(const std::string& text, const std::string& name);

/// The index of `folder`, from the file `cache` if that is there and none of the folders of classes
/// has been modified since, else by scanning; `cache` is then written, where that is possible. That
/// the files themselves are unchanged is checked when they are read: see ImageFolder.
ImageIndex open_image_index(const std::filesystem::path& folder,
                            const std::filesystem::path& cache);

}  // namespace cograd
