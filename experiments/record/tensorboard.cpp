// Event files are TFRecord files of protocol buffers: tensorflow/core/util/event.proto and
// tensorflow/core/framework/summary.proto, with these fields:
//
//   Event          { double wall_time = 1; int64 step = 2; string file_version = 3;
//                    Summary summary = 5; }
//   Summary        { repeated Value value = 1; }
//   Value          { string tag = 1; float simple_value = 2; HistogramProto histo = 5; }
//   HistogramProto { double min = 1, max = 2, num = 3, sum = 4, sum_squares = 5;
//                    repeated double bucket_limit = 6, bucket = 7; }
#include "cograd/experiments/record/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/experiments/record/crc32c.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

static_assert(
    std::endian::native == std::endian::little,
    "TFRecord and protocol buffers are little-endian, and numbers are copied as they are");

constexpr std::size_t kBuckets = 30;  // as many as TensorBoard's own summaries have

template <class T>
void append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

/// A protocol buffer message: fields, each a key (its number and wire type) and its value.
class Message {
 public:
  Message& field(int number, double value) {
    key(number, kFixed64);
    append(bytes_, value);
    return *this;
  }
  Message& field(int number, float value) {
    key(number, kFixed32);
    append(bytes_, value);
    return *this;
  }
  Message& field(int number, std::int64_t value) {
    key(number, kVarint);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  /// A string, or a message within the message.
  Message& field(int number, std::string_view value) {
    key(number, kLengthDelimited);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  /// A repeated field, packed.
  Message& field(int number, std::span<const double> values) {
    return field(number, std::string_view(reinterpret_cast<const char*>(values.data()),
                                          values.size_bytes()));
  }

  const std::string& bytes() const { return bytes_; }

 private:
  enum WireType { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

  void key(int number, WireType type) { varint(static_cast<std::uint64_t>(number << 3 | type)); }

  /// Seven bits a byte, the lowest first; the top bit says that more follow.
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// TFRecord masks checksums, since a checksum of data that holds its own checksum is weak.
std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8;
}

/// Makes the folder; returns the path of a new event file in it.
fs::path new_path(const fs::path& folder, double seconds) {
  std::error_code error;
  fs::create_directories(folder, error);
  require<IoError>(!error, "[tensorboard] cannot make {}: {}", folder.string(), error.message());
  std::array<char, 256> host{"localhost"};
  ::gethostname(host.data(), host.size() - 1);
  fs::path path = folder / fmt::format("events.out.tfevents.{:010}.{}",
                                       static_cast<std::int64_t>(seconds), host.data());
  require<IoError>(!fs::exists(path, error), "[tensorboard] {} is there already", path.string());
  return path;
}

}  // namespace

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

EventWriter::EventWriter(const fs::path& folder, Clock clock)
    : EventWriter(AppendFile::create(new_path(folder, clock())), clock) {
  write_record(Message().field(1, clock_()).field(3, "brain.Event:2").bytes());
}

EventWriter EventWriter::resume(const fs::path& path, const FileState& state, Clock clock) {
  return {AppendFile::resume(path, state), std::move(clock)};
}

void EventWriter::scalar(std::string_view tag, std::int64_t step, double value) {
  write_summary(step, Message().field(1, tag).field(2, static_cast<float>(value)).bytes());
}

void EventWriter::histogram(std::string_view tag, std::int64_t step,
                            std::span<const double> values) {
  require<ValueError>(!values.empty() && std::all_of(values.begin(), values.end(),
                                                     [](double v) { return std::isfinite(v); }),
                      "[tensorboard] histogram '{}' at step {}: expected finite values, at least "
                      "one",
                      tag, step);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  // Bucket i reaches from limit i - 1 (the first: from the least value) to below limit i; the last
  // includes its limit.
  std::vector<double> limits(*min < *max ? kBuckets : 1);
  for (std::size_t i = 0; i < limits.size(); ++i) {
    limits[i] = std::lerp(*min, *max, static_cast<double>(i + 1) / limits.size());
  }
  std::vector<double> counts(limits.size());
  double sum = 0.0, sum_squares = 0.0;
  for (const double value : values) {
    const auto limit = std::upper_bound(limits.begin(), limits.end() - 1, value);
    ++counts[static_cast<std::size_t>(limit - limits.begin())];
    sum += value;
    sum_squares += value * value;
  }
  const Message histogram = Message()
                                .field(1, *min)
                                .field(2, *max)
                                .field(3, static_cast<double>(values.size()))
                                .field(4, sum)
                                .field(5, sum_squares)
                                .field(6, limits)
                                .field(7, counts);
  write_summary(step, Message().field(1, tag).field(5, histogram.bytes()).bytes());
}

void EventWriter::write_summary(std::int64_t step, const std::string& value) {
  const Message summary = Message().field(1, value);
  write_record(Message().field(1, clock_()).field(2, step).field(5, summary.bytes()).bytes());
}

/// TFRecord: the length, its checksum, the data, their checksum.
void EventWriter::write_record(std::string_view data) {
  std::string record;
  append(record, std::uint64_t{data.size()});
  append(record, masked_crc32c(record));
  record += data;
  append(record, masked_crc32c(data));
  file_.write(record);
}

}  // namespace cograd
