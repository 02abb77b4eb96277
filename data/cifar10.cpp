#include "data/cifar10.h"

#include <algorithm>

#include "data/image_file.h"
#include "engine/error.h"
#include "engine/file.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPixels = 3 * 32 * 32;
constexpr std::int64_t kRecord = 1 + kPixels;
constexpr std::int64_t kClasses = 10;

/// Where the files are: in the folder, or in the one that the archive unpacks to.
fs::path batches_in(const fs::path& folder) {
  const fs::path unpacked = folder / "cifar-10-batches-bin";
  std::error_code unreadable;  // counts as none
  return fs::is_directory(unpacked, unreadable) ? unpacked : folder;
}

}  // namespace

void append_cifar10_batch(const fs::path& path, ByteImages::Content& content) {
  std::vector<std::uint8_t> bytes;
  read_file(path, bytes);
  require<FormatError>(!bytes.empty() && std::ssize(bytes) % kRecord == 0,
                       "[cifar10] {} has {} bytes: expected records of {}", path.string(),
                       bytes.size(), kRecord);
  for (auto record = bytes.begin(); record != bytes.end(); record += kRecord) {
    require<FormatError>(*record < kClasses,
                         "[cifar10] {}: record {} has label {}: expected 0 to {}", path.string(),
                         (record - bytes.begin()) / kRecord, *record, kClasses - 1);
    content.labels.push_back(*record);
    content.pixels.insert(content.pixels.end(), record + 1, record + kRecord);
  }
}

bool has_cifar10_binary(const fs::path& folder) {
  const fs::path batches = batches_in(folder);
  std::error_code unreadable;  // counts as none
  return fs::exists(batches / "data_batch_1.bin", unreadable) ||
         fs::exists(batches / "test_batch.bin", unreadable);
}

DatasetPtr open_cifar10_binary(const fs::path& folder, Split split) {
  const fs::path batches = batches_in(folder);
  ByteImages::Content content{.name = split == Split::train ? "cifar10 train" : "cifar10 test",
                              .image_shape = {3, 32, 32},
                              .pixels = {},
                              .labels = {},
                              .classes = kClasses,
                              .class_names = {"airplane", "automobile", "bird", "cat", "deer",
                                              "dog", "frog", "horse", "ship", "truck"}};
  if (split == Split::test) {
    append_cifar10_batch(batches / "test_batch.bin", content);
  } else {
    for (int i = 1; i <= 5; ++i) {
      append_cifar10_batch(batches / fmt::format("data_batch_{}.bin", i), content);
    }
  }
  return std::make_shared<ByteImages>(std::move(content));
}

}  // namespace cograd
