// Which image files a folder holds, and a file that remembers it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cograd {

/// The image files of one split of an image folder: FOLDER/CLASS/FILE, and those in folders below a
/// class, in torchvision's order: folders by their whole path, in each the files by name.
struct ImageIndex {
  struct File {
    std::string path;  ///< below the folder of its class
    std::int64_t bytes = 0;
    std::int64_t modified = 0;  ///< nanoseconds
    friend bool operator==(const File&, const File&) = default;
  };
  struct Folder {
    std::string path;  ///< likewise; "." for the folder of the class itself
    std::int64_t modified = 0;
    friend bool operator==(const Folder&, const Folder&) = default;
  };
  struct Class {
    std::string name;
    std::vector<Folder> folders;
    std::vector<File> files;
    std::int64_t unread = 0;  ///< images of types that cannot be read, as .webp
    friend bool operator==(const Class&, const Class&) = default;
  };
  std::vector<Class> classes;  ///< sorted by name
  friend bool operator==(const ImageIndex&, const ImageIndex&) = default;
};

/// Nanoseconds; 0 if there is no such file.
std::int64_t modified_at(const std::filesystem::path& path);

/// Lists the classes and files of `folder`. What is hidden does not count, nor what archives and
/// systems leave: __MACOSX, Thumbs.db, desktop.ini. Files must end in .jpg, .jpeg or .png, in any
/// case of letters. Links are followed. Throws IoError when a folder cannot be read or leads back
/// into itself, or when there is no class.
ImageIndex scan_image_folder(const std::filesystem::path& folder);

/// The index as text: a header, then for each class "class FOLDERS FILES UNREAD NAME", for each of
/// its folders "MODIFIED PATH" and for each of its files "BYTES MODIFIED PATH". Line breaks in
/// names are written as \n, backslashes as \\.
std::string to_text(const ImageIndex& index);
/// The inverse. Throws FormatError, naming `name` and the line.
ImageIndex parse_image_index(const std::string& text, const std::string& name);

/// The index of `folder`, from the file `cache` if that is there and none of the folders in it has
/// been modified since, else by scanning; `cache` is then written, where that is possible. That the
/// files themselves are unchanged is checked when they are read: see ImageFolder.
ImageIndex open_image_index(const std::filesystem::path& folder,
                            const std::filesystem::path& cache);

}  // namespace cograd
