#include "cograd/data/image_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>
#include <unordered_set>

#include "cograd/data/annotations.h"
#include "cograd/data/checksum.h"
#include "cograd/data/image_scan.h"
#include "cograd/data/text_lines.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/random.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

/// The first of the seed's streams for augmentation; there is one for each (epoch, index).
constexpr std::uint64_t kAugmentation = std::uint64_t{1} << 63;
constexpr int kIndexBits = 32;
constexpr std::size_t kMostNamed = 5;
constexpr const char* kTypes = ".jpg, .jpeg or .png";

std::string shown(const fs::path& path) { return printable(path.native()); }

/// ROOT/train, or ROOT/val, or ROOT/test where there is no val.
fs::path folder_of(const fs::path& root, Split split, const std::string& name) {
  if (split == Split::train) {
    require<IoError>(is_folder(root / "train"),
                     "[{}] there is no folder train/ in {}: expected train/CLASS/*.jpg", name,
                     shown(root));
    return root / "train";
  }
  for (const char* folder : {"val", "test"}) {
    if (is_folder(root / folder)) return root / folder;
  }
  throw IoError(fmt::format("[{}] there is no folder val/ or test/ in {}: expected val/CLASS/*.jpg",
                            name, shown(root)));
}

/// The table of Tiny ImageNet's val/, whose images lie in one folder; empty for other layouts.
fs::path annotations_in(const fs::path& folder) {
  const fs::path table = folder / "val_annotations.txt";
  return status_of(table).is_file && is_folder(folder / "images") ? table : fs::path();
}

/// "a, b and 3 more".
std::string listed(const std::vector<std::string>& names) {
  std::vector<std::string> first;
  for (std::size_t i = 0; i < std::min(kMostNamed, names.size()); ++i) {
    first.push_back(printable(names[i]));
  }
  const std::string more =
      names.size() > kMostNamed ? fmt::format(" and {} more", names.size() - kMostNamed) : "";
  return fmt::format("{}{}", fmt::join(first, ", "), more);
}

/// "3 .webp, 1 .gif".
std::string listed(const std::map<std::string, std::int64_t>& unread) {
  std::vector<std::string> parts;
  for (const auto& [type, count] : unread) parts.push_back(fmt::format("{} {}", count, type));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string counted(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

void check_no_class_is_empty(const ImageIndex& index, const fs::path& folder,
                             const std::string& name) {
  std::vector<std::string> empty;
  std::map<std::string, std::int64_t> unread;
  for (const ImageIndex::Class& c : index.classes) {
    if (c.images() > 0) continue;
    empty.push_back(c.name);
    for (const auto& [type, count] : c.unread) unread[type] += count;
  }
  require<FormatError>(
      empty.empty(), "[{}] {} {} in {} {} no image{}: expected {} files in each", name,
      empty.size() == 1 ? "the class" : "the classes", listed(empty), shown(folder),
      empty.size() == 1 ? "has" : "have",
      unread.empty() ? "" : fmt::format(" that can be read, but {}", listed(unread)), kTypes);
}

}  // namespace

ImageFolder::ImageFolder(const fs::path& root, Split split, const std::string& name,
                         ImageFolderOptions options)
    : root_(root),
      folder_(folder_of(root, split, name)),
      set_(name),
      name_(name + (split == Split::train ? " train" : " test")),
      options_(std::move(options)) {
  require<ValueError>(
      options_.transform.crop >= 1 && options_.transform.resize >= options_.transform.crop,
      "[{}] cannot crop {} from {} pixels", name, options_.transform.crop,
      options_.transform.resize);
  const ImageIndex train = index_of(folder_of(root, Split::train, name));
  for (const ImageIndex::Class& c : train.classes) classes_.push_back(c.name);
  if (split == Split::train) {
    add(train);
  } else if (const fs::path table = annotations_in(folder_); !table.empty()) {
    add_annotated(table);
  } else {
    add(index_of(folder_));
  }
  note_missing_classes();
  read_class_names();
  fingerprint_ = make_fingerprint();
}

std::int64_t ImageFolder::label_of(const std::string& folder) const {
  const auto c = std::lower_bound(classes_.begin(), classes_.end(), folder);
  return c != classes_.end() && *c == folder ? c - classes_.begin() : -1;
}

ImageIndex ImageFolder::index_of(const fs::path& folder) const {
  ImageIndex index =
      open_image_index(folder, root_ / (".cograd-index-" + folder.filename().string()));
  check_no_class_is_empty(index, folder, set_);
  return index;
}

void ImageFolder::add(const ImageIndex& index) {
  for (const ImageIndex::Class& c : index.classes) {
    const std::int64_t label = label_of(c.name);
    require<FormatError>(label >= 0, "[{}] {} is a class that train/ does not have", set_,
                         shown(folder_ / c.name));
    for (const ImageIndex::Folder& folder : c.folders) {
      const std::string below = c.name + "/" + (folder.path.empty() ? "" : folder.path + "/");
      for (const ImageIndex::File& f : folder.files) {
        files_.push_back({label, below + f.name, f.bytes, f.modified});
      }
    }
  }
  note_left_out(index);
}

void ImageFolder::add_annotated(const fs::path& annotations) {
  std::unordered_set<std::string> known;
  for (const auto& [file, wnid] : read_annotations(annotations)) {
    const std::int64_t label = label_of(wnid);
    require<FormatError>(label >= 0, "[{}] {}: line {}: {} is a class that train/ does not have",
                         set_, shown(annotations), files_.size() + 1, printable(wnid));
    const FileStatus status = status_of(folder_ / "images" / file);
    files_.push_back({label, "images/" + file,
                      status.is_file ? status.bytes : ImageIndex::kUnreadable, status.modified});
    known.insert(file);
  }
  require<FormatError>(!files_.empty(), "[{}] {} lists no images", set_, shown(annotations));
  const bool any = std::any_of(files_.begin(), files_.end(),
                               [](const File& f) { return f.bytes != ImageIndex::kUnreadable; });
  require<IoError>(any, "[{}] {} lists {} images, none of which is in {}", set_, shown(annotations),
                   files_.size(), shown(folder_ / "images"));
  std::error_code error;
  std::int64_t unlisted = 0;
  for (fs::directory_iterator it(folder_ / "images", error), end; !error && it != end;
       it.increment(error)) {
    const std::string file = it->path().filename().native();
    unlisted += is_image_name(file) && !known.contains(file);
  }
  if (unlisted > 0) {
    notes_.push_back(fmt::format("{}: {} left out: val_annotations.txt does not list them", name_,
                                 counted(unlisted, "image is", "images are")));
  }
}

void ImageFolder::note_left_out(const ImageIndex& index) {
  const auto note = [&](std::int64_t count, const char* one, const char* many, const char* why) {
    if (count == 0) return;
    notes_.push_back(fmt::format("{}: {} left out: {}", name_, counted(count, one, many), why));
  };
  std::map<std::string, std::int64_t> unread;
  for (const ImageIndex::Class& c : index.classes) {
    for (const auto& [type, count] : c.unread) unread[type] += count;
  }
  if (!unread.empty()) {
    notes_.push_back(
        fmt::format("{}: files are left out that are not {}: {}", name_, kTypes, listed(unread)));
  }
  note(index.hidden, "entry is", "entries are", "hidden, or what archives and systems leave");
  note(index.outside, "image is", "images are", "in no folder of a class");
  note(index.lost_links, "link is", "links are", "leading nowhere");
}

void ImageFolder::note_missing_classes() {
  std::vector<bool> there(classes_.size());
  for (const File& f : files_) there[static_cast<std::size_t>(f.label)] = true;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    if (!there[i]) missing.push_back(classes_[i]);
  }
  if (missing.empty()) return;
  notes_.push_back(fmt::format("{}: {} of {} classes have no images in {}/: {}", name_,
                               missing.size(), classes_.size(), folder_.filename().string(),
                               listed(missing)));
}

void ImageFolder::read_class_names() {
  class_names_ = classes_;
  const fs::path words = root_ / "words.txt";
  std::error_code error;
  if (fs::symlink_status(words, error).type() == fs::file_type::not_found) return;
  for (const std::string& line : read_text_lines(words)) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::int64_t label = label_of(line.substr(0, tab));
    if (label >= 0) class_names_[static_cast<std::size_t>(label)] = line.substr(tab + 1);
  }
}

std::string ImageFolder::make_fingerprint() const {
  Checksum checksum;
  const auto add_number = [&](std::int64_t number) {
    checksum.add({reinterpret_cast<const char*>(&number), sizeof(number)});
  };
  const auto add_text = [&](const std::string& text) {
    add_number(std::ssize(text));
    checksum.add(text);
  };
  for (const std::string& name : classes_) add_text(name);
  for (const File& f : files_) {
    add_number(f.label);
    add_number(f.bytes);
    add_text(f.path);
  }
  return checksum.text();
}

const ImageFolder::File& ImageFolder::file(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[{}] there is no image {} of {}", name_, index,
                      size());
  return files_[static_cast<std::size_t>(index)];
}

fs::path ImageFolder::path(std::int64_t index) const { return folder_ / file(index).path; }

fs::path ImageFolder::path_in_class(std::int64_t index) const {
  const std::string& path = file(index).path;
  return path.substr(path.find('/') + 1);
}

void ImageFolder::read(std::int64_t index, std::int64_t epoch, float* pixels) const {
  const File& f = file(index);
  const fs::path where = folder_ / f.path;
  thread_local std::vector<std::uint8_t> bytes;
  errno = 0;
  try {
    read_file(where, bytes);
  } catch (const IoError& error) {
    // Without descriptors or memory no file can be read: that is no fault of this image.
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) throw;
    throw ImageError(fmt::format("[{}] {}", name_, error.what()));
  }
  require<ImageError>(std::ssize(bytes) == f.bytes && status_of(where).modified == f.modified,
                      "[{}] {} has changed since the folder was indexed: remove "
                      "{}/.cograd-index-*",
                      name_, shown(where), shown(root_));
  Random random(options_.seed, kAugmentation + (static_cast<std::uint64_t>(epoch) << kIndexBits) +
                                   static_cast<std::uint64_t>(index));
  const std::string warning =
      transform_image(bytes, shown(where), options_.transform, random, pixels);
  if (!warning.empty() && options_.warn) options_.warn(where.native(), warning);
}

void hard_link_images(const ImageFolder& images, const std::vector<std::int64_t>& indices,
                      const fs::path& folder) {
  for (const std::int64_t index : indices) {
    const fs::path to =
        folder / images.class_folder(images.label(index)) / images.path_in_class(index);
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    // Link to the file itself: a hard link to a relative link would lead elsewhere.
    const fs::path from = error ? fs::path() : fs::canonical(images.path(index), error);
    if (!error) fs::create_hard_link(from, to, error);
    require<IoError>(!error, "[hard links] cannot link {} as {}: {}", shown(images.path(index)),
                     shown(to), error.message());
  }
}

}  // namespace cograd
