#include "cograd/data/image_scan.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kRead{".jpg", ".jpeg", ".png"};
/// Other types that torchvision reads, or that users may take for images.
constexpr std::array<std::string_view, 12> kUnread{".ppm",  ".bmp",  ".pgm", ".tif",
                                                   ".tiff", ".webp", ".gif", ".avif",
                                                   ".heic", ".heif", ".jxl", ".jp2"};
/// Folders that archives and systems leave; those with a leading dot are hidden anyway.
constexpr std::array<std::string_view, 7> kJunk{"__MACOSX",
                                                "__pycache__",
                                                "lost+found",
                                                "@eaDir",
                                                "#recycle",
                                                "$RECYCLE.BIN",
                                                "System Volume Information"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool is_hidden(std::string_view name) { return name.starts_with('.') || is_one_of(name, kJunk); }

/// ".jpeg"; empty if there is none.
std::string type_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  std::string type(dot == std::string_view::npos ? "" : name.substr(dot));
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return type;
}

/// The entries of `folder`, in no order.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(*it);
  }
  require<IoError>(!error, "[image folder] {} cannot be read: {}", printable(folder.native()),
                   error.message());
  return entries;
}

/// Usually needs no further call to the file system.
bool leads_to_folder(const fs::directory_entry& entry) {
  std::error_code nowhere;
  return entry.is_directory(nowhere);
}
bool leads_nowhere(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_symlink(error) && !status_of(entry.path()).exists;
}

/// Collects the images of one class.
class ClassScan {
 public:
  ClassScan(const fs::path& folder, const std::string& name, ImageIndex& index)
      : top_(folder / name),
        index_(index),
        class_{.name = name, .folders = {}},
        above_{identity_of(folder)} {}

  ImageIndex::Class operator()() {
    visit("");
    std::sort(class_.folders.begin(), class_.folders.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(class_);
  }

 private:
  struct Identity {
    dev_t device;
    ino_t number;
    bool operator==(const Identity&) const = default;
  };

  static Identity identity_of(const fs::path& where) {
    struct stat s {};
    require<IoError>(stat(where.c_str(), &s) == 0, "[image folder] {} cannot be read: {}",
                     printable(where.native()), std::strerror(errno));
    return {s.st_dev, s.st_ino};
  }

  void visit(const std::string& path) {
    const fs::path where = path.empty() ? top_ : top_ / path;
    const Identity self = identity_of(where);
    require<FormatError>(std::find(above_.begin(), above_.end(), self) == above_.end(),
                         "[image folder] {} is a link to a folder that it lies in",
                         printable(where.native()));
    above_.push_back(self);
    ImageIndex::Folder folder{path, status_of(where).modified, {}};
    for (const fs::directory_entry& entry : entries_of(where)) add(entry, path, folder);
    std::sort(folder.files.begin(), folder.files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    class_.folders.push_back(std::move(folder));
    above_.pop_back();
  }

  void add(const fs::directory_entry& entry, const std::string& path, ImageIndex::Folder& folder) {
    const std::string name = entry.path().filename().native();
    const std::string type = type_of(name);
    const bool read = is_one_of(type, kRead), unread = is_one_of(type, kUnread);
    const bool is_folder = leads_to_folder(entry);
    if (is_hidden(name)) {
      index_.hidden += is_folder || read || unread;
    } else if (is_folder) {
      visit(path.empty() ? name : path + "/" + name);
    } else if (read) {
      const FileStatus status = status_of(entry.path());
      if (status.is_file) {
        folder.files.push_back({name, status.bytes, status.modified});
      } else {
        folder.files.push_back({name, ImageIndex::kUnreadable, 0});
      }
    } else if (unread) {
      ++class_.unread[type];
    } else if (leads_nowhere(entry)) {
      ++index_.lost_links;
    }
  }

  fs::path top_;
  ImageIndex& index_;
  ImageIndex::Class class_;
  std::vector<Identity> above_;  // the folders that are being visited
};

}  // namespace

FileStatus status_of(const fs::path& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return {};
  // Unsigned: a date may be any number.
  const auto nanoseconds = static_cast<std::uint64_t>(s.st_mtim.tv_sec) * 1'000'000'000u +
                           static_cast<std::uint64_t>(s.st_mtim.tv_nsec);
  return {true, S_ISDIR(s.st_mode), S_ISREG(s.st_mode), s.st_size,
          static_cast<std::int64_t>(nanoseconds)};
}

bool is_folder(const fs::path& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) == 0) return S_ISDIR(s.st_mode);
  const int error = errno;
  struct stat link {};
  const bool absent = error == ENOTDIR || (error == ENOENT && lstat(path.c_str(), &link) != 0);
  require<IoError>(absent, "[image folder] {} cannot be read: {}", printable(path.native()),
                   error == ENOENT ? "it is a link that leads nowhere" : std::strerror(error));
  return false;
}

bool is_image_name(std::string_view name) {
  return !is_hidden(name) && is_one_of(type_of(name), kRead);
}

std::vector<std::string> list_classes(const fs::path& folder, ImageIndex& index) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries_of(folder)) {
    std::string name = entry.path().filename().native();
    const bool is_folder = leads_to_folder(entry);
    if (is_hidden(name)) {
      index.hidden += is_folder;
    } else if (is_folder) {
      names.push_back(std::move(name));
    } else if (is_image_name(name)) {
      ++index.outside;
    } else if (leads_nowhere(entry)) {
      ++index.lost_links;
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

ImageIndex scan_image_folder(const fs::path& folder) {
  ImageIndex index;
  for (const std::string& name : list_classes(folder, index)) {
    index.classes.push_back(ClassScan(folder, name, index)());
  }
  require<IoError>(!index.classes.empty(),
                   "[image folder] {} holds no folders{}: expected one for each class",
                   printable(folder.native()),
                   index.outside > 0 ? fmt::format(", but {} images", index.outside) : "");
  return index;
}

}  // namespace cograd
