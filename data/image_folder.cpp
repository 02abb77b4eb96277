#include "data/image_folder.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <system_error>

#include "data/checksum.h"
#include "data/text_lines.h"
#include "engine/error.h"
#include "engine/file.h"
#include "engine/random.h"
#include "engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

/// Streams of the seed for augmentation begin here: one for each (epoch, index).
constexpr std::uint64_t kAugmentation = std::uint64_t{1} << 63;
constexpr int kIndexBits = 32;

/// ROOT/train, or ROOT/val, or ROOT/test where there is no val.
fs::path folder_of(const fs::path& root, Split split, const std::string& name) {
  std::error_code unreadable;  // counts as none
  if (split == Split::train) {
    require<IoError>(fs::is_directory(root / "train", unreadable),
                     "[{}] there is no folder train/ in {}: expected train/CLASS/*.jpg", name,
                     printable(root.native()));
    return root / "train";
  }
  for (const char* folder : {"val", "test"}) {
    if (fs::is_directory(root / folder, unreadable)) return root / folder;
  }
  throw IoError(fmt::format("[{}] there is no folder val/ or test/ in {}: expected val/CLASS/*.jpg",
                            name, printable(root.native())));
}

/// Tiny ImageNet's val: all images in one folder, their classes in a table.
fs::path annotations_in(const fs::path& folder) {
  const fs::path table = folder / "val_annotations.txt";
  std::error_code unreadable;  // counts as none
  const bool both =
      fs::is_regular_file(table, unreadable) && fs::is_directory(folder / "images", unreadable);
  return both ? table : fs::path();
}

/// Throws FormatError for a class of which no image can be used: it would have a label.
void check_class(const ImageIndex::Class& c, const fs::path& folder) {
  require<FormatError>(
      !c.files.empty(), "[image folder] the class {} {}: expected .jpg, .jpeg or .png files",
      printable((folder / c.name).native()),
      c.unread > 0 ? fmt::format("has only images of other types ({} of them)", c.unread)
                   : std::string("has no image"));
}

ImageIndex index_of(const fs::path& root, const fs::path& folder) {
  return open_image_index(folder, root / (".cograd-index-" + folder.filename().string()));
}

}  // namespace

ImageFolder::ImageFolder(const fs::path& root, Split split, const std::string& name,
                         ImageFolderOptions options)
    : root_(root),
      folder_(folder_of(root, split, name)),
      name_(name + (split == Split::train ? " train" : " test")),
      options_(std::move(options)) {
  require<ValueError>(
      options_.transform.crop >= 1 && options_.transform.resize >= options_.transform.crop,
      "[{}] cannot crop {} from {} pixels", name, options_.transform.crop,
      options_.transform.resize);
  std::map<std::string, std::int64_t> labels;
  const fs::path train = folder_of(root, Split::train, name);
  for (const ImageIndex::Class& c : index_of(root, train).classes) {
    check_class(c, train);
    labels.emplace(c.name, std::ssize(classes_));
    classes_.push_back(c.name);
  }
  if (const fs::path table = annotations_in(folder_); !table.empty()) {
    add_annotated(table);
  } else {
    for (const ImageIndex::Class& c : index_of(root, folder_).classes) {
      const auto label = labels.find(c.name);
      require<FormatError>(label != labels.end(), "[{}] {} is a class that train/ does not have",
                           name, printable((folder_ / c.name).native()));
      if (c.unread > 0) check_class(c, folder_);
      unread_ += c.unread;
      for (const ImageIndex::File& f : c.files) {
        files_.push_back({label->second, c.name + "/" + f.path, f.bytes, f.modified});
      }
    }
  }
  require<IoError>(!files_.empty(),
                   "[{}] there are no .jpg, .jpeg or .png files in the folders of {}", name,
                   printable(folder_.native()));
}

void ImageFolder::add_annotated(const fs::path& annotations) {
  // "val_0.JPEG n03444034 0 32 44 62": file, class and a box that is of no use here.
  const std::string table = printable(annotations.native());
  std::int64_t number = 0;
  for (const std::string& line : read_text_lines(annotations)) {
    ++number;
    std::istringstream fields(line);
    std::string file, wnid;
    require<FormatError>(
        static_cast<bool>(fields >> file >> wnid) && file.find('/') == std::string::npos,
        "[{}] {}: line {}: expected a file name and a class", name_, table, number);
    const auto c = std::lower_bound(classes_.begin(), classes_.end(), wnid);
    require<FormatError>(c != classes_.end() && *c == wnid,
                         "[{}] {}: line {}: {} is a class that train/ does not have", name_, table,
                         number, printable(wnid));
    const fs::path path = folder_ / "images" / file;
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    require<IoError>(!error, "[{}] {} is listed in {}, but cannot be read", name_,
                     printable(path.native()), table);
    files_.push_back({c - classes_.begin(), "images/" + file, static_cast<std::int64_t>(bytes),
                      modified_at(path)});
  }
}

std::vector<std::string> ImageFolder::class_names() const {
  std::vector<std::string> names = classes_;
  const fs::path words = root_ / "words.txt";
  std::error_code unreadable;  // counts as none
  if (!fs::is_regular_file(words, unreadable)) return names;
  for (const std::string& line : read_text_lines(words)) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::string wnid = line.substr(0, tab);
    const auto c = std::lower_bound(classes_.begin(), classes_.end(), wnid);
    if (c == classes_.end() || *c != wnid) continue;
    names[static_cast<std::size_t>(c - classes_.begin())] = line.substr(tab + 1);
  }
  return names;
}

const ImageFolder::File& ImageFolder::file(std::int64_t index) const {
  require<ValueError>(index >= 0 && index < size(), "[{}] there is no image {} of {}", name_, index,
                      size());
  return files_[static_cast<std::size_t>(index)];
}

std::string ImageFolder::fingerprint() const {
  Checksum checksum;
  for (const std::string& name : classes_) checksum.add(fmt::format("{}\n{}", name.size(), name));
  for (const File& f : files_) {
    checksum.add(fmt::format("{} {} {}\n{}", f.label, f.bytes, f.path.size(), f.path));
  }
  return checksum.text();
}

fs::path ImageFolder::path(std::int64_t index) const { return folder_ / file(index).path; }

void ImageFolder::read(std::int64_t index, std::int64_t epoch, float* pixels) const {
  const File& f = file(index);
  const fs::path where = folder_ / f.path;
  thread_local std::vector<std::uint8_t> bytes;
  try {
    read_file(where, bytes);
  } catch (const IoError& error) {  // of one image: others may be read
    throw ImageError(error.what());
  }
  require<ImageError>(std::ssize(bytes) == f.bytes && modified_at(where) == f.modified,
                      "[{}] {} has changed since the folder was indexed: remove {}/.cograd-index-*",
                      name_, printable(where.native()), printable(root_.native()));
  Random random(options_.seed, kAugmentation + (static_cast<std::uint64_t>(epoch) << kIndexBits) +
                                   static_cast<std::uint64_t>(index));
  transform_image(bytes, printable(where.native()), options_.transform, random, pixels);
}

void hard_link_images(const ImageFolder& images, const std::vector<std::int64_t>& indices,
                      const fs::path& folder) {
  for (const std::int64_t index : indices) {
    const fs::path from = images.path(index);
    const fs::path to = folder / images.class_folder(images.label(index)) / from.filename();
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    if (!error) fs::create_hard_link(from, to, error);
    require<IoError>(!error, "[hard links] cannot link {} as {}: {}", printable(from.native()),
                     printable(to.native()), error.message());
  }
}

}  // namespace cograd
