#include "cograd/data/cifar10.h"

#include <algorithm>

#include "cograd/data/image_scan.h"
#include "cograd/engine/content_kind.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPixels = 3 * 32 * 32;
constexpr std::int64_t kRecord = 1 + kPixels;
constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kRecordsOfFile = 10'000;          // as published
constexpr std::int64_t kRecordOfCifar100 = 2 + kPixels;  // two labels

std::string shown(const fs::path& path) { return printable(path.native()); }

bool is_there(const fs::path& path) { return status_of(path).exists; }

/// The folder of the files: this one, or the one to which the archive unpacks.
fs::path batches_in(const fs::path& folder) {
  const fs::path unpacked = folder / "cifar-10-batches-bin";
  return is_folder(unpacked) ? unpacked : folder;
}

/// The reason, if known, why a file is no list of records.
std::string why_not_records(const std::vector<std::uint8_t>& bytes) {
  const std::string_view kind =
      what_it_is({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!kind.empty()) return fmt::format(" ({})", kind);
  if (std::ssize(bytes) % kRecordOfCifar100 == 0) {
    return fmt::format(" (CIFAR-100 has records of {})", kRecordOfCifar100);
  }
  return "";
}

}  // namespace

void append_cifar10_batch(const fs::path& path, ByteImages::Content& content) {
  std::vector<std::uint8_t> bytes;
  read_file(path, bytes);
  require<FormatError>(!bytes.empty() && std::ssize(bytes) % kRecord == 0,
                       "[cifar10] {} has {} bytes{}: expected records of {}", shown(path),
                       bytes.size(), why_not_records(bytes), kRecord);
  for (auto record = bytes.begin(); record != bytes.end(); record += kRecord) {
    require<FormatError>(*record < kClasses,
                         "[cifar10] {}: record {} has label {}: expected 0 to {}{}", shown(path),
                         (record - bytes.begin()) / kRecord, *record, kClasses - 1,
                         record == bytes.begin() ? why_not_records(bytes) : "");
    content.labels.push_back(*record);
    content.pixels.insert(content.pixels.end(), record + 1, record + kRecord);
  }
  const std::int64_t records = std::ssize(bytes) / kRecord;
  if (records != kRecordsOfFile) {
    content.notes.push_back(fmt::format("{}: {} has {} records: the published set has {}",
                                        content.name, shown(path.filename()), records,
                                        kRecordsOfFile));
  }
}

bool has_cifar10_binary(const fs::path& folder) {
  const fs::path batches = batches_in(folder);
  return is_there(batches / "data_batch_1.bin") || is_there(batches / "test_batch.bin");
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
