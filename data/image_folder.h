// Image folders: a folder of image files for each class, as ImageNet is unpacked.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cograd/data/dataset.h"
#include "cograd/data/image_index.h"
#include "cograd/data/transform.h"

namespace cograd {

struct ImageFolderOptions {
  ImageTransform transform;
  std::uint64_t seed = 0;  ///< of augmentation
  /// Receives (file, Image::warning) at each read of a file that is odd, though its pixels are
  /// intact. Several threads may call it at once.
  std::function<void(const std::string&, const std::string&)> warn{};
};

/// The images of one split, ROOT/train/CLASS/.../FILE and ROOT/val/CLASS/.../FILE (or test/),
/// chosen and ordered as torchvision does, without hidden files. Tiny ImageNet's original layout is
/// read, too: val/images/FILE with val/val_annotations.txt. The training split defines the classes.
/// The list of files is cached in ROOT/.cograd-index-SPLIT.
class ImageFolder final : public Dataset {
 public:
  /// Throws IoError if a folder is missing, unreadable or empty, FormatError if a class has no
  /// images or if the classes of the splits or the annotations do not match.
  ImageFolder(const std::filesystem::path& root, Split split, const std::string& name,
              ImageFolderOptions options);

  std::int64_t size() const override { return std::ssize(files_); }
  std::int64_t classes() const override { return std::ssize(classes_); }
  Shape image_shape() const override {
    return {3, options_.transform.crop, options_.transform.crop};
  }
  std::string name() const override { return name_; }
  /// The names in ROOT/words.txt ("n01443537 goldfish, Carassius auratus"), else those of the
  /// folders. Any bytes are allowed.
  std::vector<std::string> class_names() const override { return class_names_; }
  std::int64_t label(std::int64_t index) const override { return file(index).label; }
  /// Throws ImageError for a file that is broken, unreadable, or differs from the index in size or
  /// date.
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override;
  /// Covers labels, paths below the folder, and sizes.
  std::string fingerprint() const override { return fingerprint_; }
  std::vector<std::string> notes() const override { return notes_; }

  /// The path of the image file.
  std::filesystem::path path(std::int64_t index) const;
  /// The path of the image file below the folder of the split: "CLASS/NAME.jpg".
  const std::string& path_in_split(std::int64_t index) const { return file(index).path; }
  /// The path of the image file below the folder of its class.
  std::filesystem::path path_in_class(std::int64_t index) const;
  const std::string& class_folder(std::int64_t label) const {
    return classes_[static_cast<std::size_t>(label)];
  }

 private:
  struct File {
    std::int64_t label;
    std::string path;  // below folder_
    std::int64_t bytes, modified;
  };
  const File& file(std::int64_t index) const;
  std::int64_t label_of(const std::string& folder) const;  // -1: none
  ImageIndex index_of(const std::filesystem::path& folder) const;
  void add(const ImageIndex& index);
  void add_annotated(const std::filesystem::path& annotations);
  void note_left_out(const ImageIndex& index);
  void note_missing_classes();
  void read_class_names();
  std::string make_fingerprint() const;

  std::filesystem::path root_, folder_;
  std::string set_, name_;  // "imagenet", "imagenet train"
  ImageFolderOptions options_;
  std::vector<std::string> classes_, class_names_;
  std::vector<File> files_;
  std::vector<std::string> notes_;
  std::string fingerprint_;
};

/// Makes an image folder that takes no room: FOLDER/CLASS/.../FILE for each of `indices`, as hard
/// links to the files of `images`. Throws IoError if a link cannot be made.
void hard_link_images(const ImageFolder& images, const std::vector<std::int64_t>& indices,
                      const std::filesystem::path& folder);

}  // namespace cograd
