#include "data/mnist.h"

#include <system_error>

#include "data/byte_images.h"
#include "data/idx.h"
#include "engine/error.h"

namespace cograd {
namespace {

/// The file with or without .gz.
std::filesystem::path find(const std::filesystem::path& folder, const std::string& file,
                           const std::string& name) {
  for (const char* ending : {".gz", ""}) {
    const auto path = folder / (file + ending);
    std::error_code unreadable;  // counts as absent
    if (std::filesystem::exists(path, unreadable)) return path;
  }
  throw IoError(
      fmt::format("[{}] there is no {} (or .gz) in {}: name the folder that has it, or fetch it "
                  "with data/fetch.sh {}",
                  name, file, folder.string(), name));
}

}  // namespace

DatasetPtr open_mnist(const std::filesystem::path& folder, Split split, const std::string& name) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const auto image_path = find(folder, prefix + "-images-idx3-ubyte", name);
  const auto label_path = find(folder, prefix + "-labels-idx1-ubyte", name);
  Idx images = read_idx(image_path);
  Idx labels = read_idx(label_path);
  require<FormatError>(images.shape.rank() == 3 && images.shape.numel() > 0,
                       "[{}] {} has shape {}: expected images [N, H, W]", name, image_path.string(),
                       images.shape);
  require<FormatError>(labels.shape.rank() == 1, "[{}] {} has shape {}: expected labels [N]", name,
                       label_path.string(), labels.shape);
  require<FormatError>(images.shape[0] == labels.shape[0],
                       "[{}] {} images in {}, but {} labels in {}", name, images.shape[0],
                       image_path.string(), labels.shape[0], label_path.string());
  return std::make_shared<ByteImages>(
      ByteImages::Content{.name = name + (split == Split::train ? " train" : " test"),
                          .image_shape = {1, images.shape[1], images.shape[2]},
                          .pixels = std::move(images.values),
                          .labels = std::move(labels.values)});
}

}  // namespace cograd
