#include "data/mnist.h"

#include <algorithm>
#include <system_error>

#include "data/idx.h"
#include "engine/error.h"

namespace cograd {
namespace {

constexpr std::int64_t kClasses = 10;

class Mnist final : public Dataset {
 public:
  Mnist(std::string name, Idx images, Idx labels)
      : name_(std::move(name)), images_(std::move(images)), labels_(std::move(labels)) {}

  std::int64_t size() const override { return images_.shape[0]; }
  std::int64_t classes() const override { return kClasses; }
  Shape image_shape() const override { return {1, images_.shape[1], images_.shape[2]}; }
  std::string name() const override { return name_; }

  Example get(std::int64_t index) const override {
    Example example{{}, label(index)};
    const std::int64_t pixels = image_shape().numel();
    const std::uint8_t* from = images_.values.data() + index * pixels;
    example.pixels.resize(static_cast<std::size_t>(pixels));
    std::transform(from, from + pixels, example.pixels.begin(),
                   [](std::uint8_t v) { return static_cast<float>(v) / 255.0f; });
    return example;
  }

  std::int64_t label(std::int64_t index) const override {
    require<ValueError>(index >= 0 && index < size(), "[{}] there is no example {} of {}", name_,
                        index, size());
    return labels_.values[static_cast<std::size_t>(index)];
  }

 private:
  std::string name_;
  Idx images_, labels_;
};

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
                       images.shape.str());
  require<FormatError>(labels.shape.rank() == 1, "[{}] {} has shape {}: expected labels [N]", name,
                       label_path.string(), labels.shape.str());
  require<FormatError>(images.shape[0] == labels.shape[0],
                       "[{}] {} images in {}, but {} labels in {}", name, images.shape[0],
                       image_path.string(), labels.shape[0], label_path.string());
  for (std::size_t i = 0; i < labels.values.size(); ++i) {
    require<FormatError>(labels.values[i] < kClasses,
                         "[{}] label {} of example {} in {} is above 9", name, labels.values[i], i,
                         label_path.string());
  }
  return std::make_shared<Mnist>(name + (split == Split::train ? " train" : " test"),
                                 std::move(images), std::move(labels));
}

}  // namespace cograd
