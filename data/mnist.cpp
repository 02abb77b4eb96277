#include "cograd/data/mnist.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "cograd/data/byte_images.h"
#include "cograd/data/idx.h"
#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

std::string shown(const std::filesystem::path& path) { return printable(path.native()); }

/// Names in `folder` that look like IDX files, for messages: "(it holds a, b)".
std::string similar_files_in(const std::filesystem::path& folder) {
  constexpr std::size_t kMostNamed = 4;
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().native();
    if (name.find("idx") != std::string::npos) names.push_back(printable(name));
  }
  if (error) return fmt::format(" ({})", error.message());
  if (names.empty()) return "";
  std::sort(names.begin(), names.end());
  names.resize(std::min(names.size(), kMostNamed));
  return fmt::format(" (it holds {})", fmt::join(names, ", "));
}

/// The file with or without .gz.
std::filesystem::path find(const std::filesystem::path& folder, const std::string& file,
                           const std::string& name) {
  for (const char* ending : {".gz", ""}) {
    auto path = folder / (file + ending);
    std::error_code unreadable;  // counts as absent
    if (std::filesystem::exists(path, unreadable)) return path;
  }
  throw IoError(
      fmt::format("[{}] there is no {} (or .gz) in {}{}: name the folder that has it, or fetch it "
                  "with data/fetch.sh {}",
                  name, file, shown(folder), similar_files_in(folder), name));
}

}  // namespace

DatasetPtr open_mnist(const std::filesystem::path& folder, Split split, const std::string& name) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const auto image_path = find(folder, prefix + "-images-idx3-ubyte", name);
  const auto label_path = find(folder, prefix + "-labels-idx1-ubyte", name);
  Idx images = read_idx(image_path);
  Idx labels = read_idx(label_path);
  require<FormatError>(images.shape.rank() != 1 || labels.shape.rank() != 3,
                       "[{}] {} holds labels and {} holds images: the two are exchanged", name,
                       shown(image_path), shown(label_path));
  require<FormatError>(images.shape.rank() == 3 && images.shape.numel() > 0,
                       "[{}] {} has shape {}: expected images [N, H, W]", name, shown(image_path),
                       images.shape);
  require<FormatError>(labels.shape.rank() == 1, "[{}] {} has shape {}: expected labels [N]", name,
                       shown(label_path), labels.shape);
  require<FormatError>(images.shape[0] == labels.shape[0],
                       "[{}] {} images in {}, but {} labels in {}", name, images.shape[0],
                       shown(image_path), labels.shape[0], shown(label_path));
  return std::make_shared<ByteImages>(
      ByteImages::Content{.name = name + (split == Split::train ? " train" : " test"),
                          .image_shape = {1, images.shape[1], images.shape[2]},
                          .pixels = std::move(images.values),
                          .labels = std::move(labels.values)});
}

}  // namespace cograd
