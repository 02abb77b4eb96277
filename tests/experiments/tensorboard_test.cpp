// Event files: decoded here by the definition of the formats, and taken up again where a killed run
// left them. tests/tensorboard_reader.py shows a file to TensorBoard itself.
#include "cograd/experiments/record/tensorboard.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

#include "cograd/engine/error.h"
#include "cograd/experiments/record/crc32c.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
T load(std::string_view bytes) {
  REQUIRE(bytes.size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// The data of each record, whose checksums must be right.
std::vector<std::string> records(const fs::path& path) {
  const auto unmasked = [](std::uint32_t masked) {
    const std::uint32_t rotated = masked - 0xa282ead8;
    return rotated >> 17 | rotated << 15;
  };
  const std::string bytes = read_all(path);
  std::string_view rest = bytes;
  std::vector<std::string> found;
  while (!rest.empty()) {
    const auto length = load<std::uint64_t>(rest);
    CHECK(unmasked(load<std::uint32_t>(rest.substr(8))) == crc32c(rest.substr(0, 8)));
    REQUIRE(rest.size() >= length + 16);
    found.emplace_back(rest.substr(12, length));
    CHECK(unmasked(load<std::uint32_t>(rest.substr(12 + length))) == crc32c(found.back()));
    rest.remove_prefix(length + 16);
  }
  return found;
}

/// The fields of a message by number: the bytes of each, of a varint its 64 bits.
std::map<int, std::string> fields(std::string_view message) {
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      REQUIRE(!message.empty());
      const auto byte = static_cast<unsigned char>(message.front());
      message.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  std::map<int, std::string> found;
  while (!message.empty()) {
    const std::uint64_t key = varint();
    std::string& value = found[static_cast<int>(key >> 3)];
    CHECK(value.empty());
    if ((key & 7) == 0) {
      const std::uint64_t number = varint();
      value.assign(reinterpret_cast<const char*>(&number), sizeof(number));
      continue;
    }
    const std::uint64_t length = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint();
    REQUIRE(((key & 7) == 1 || (key & 7) == 2 || (key & 7) == 5));
    REQUIRE(message.size() >= length);
    value = message.substr(0, length);
    message.remove_prefix(length);
  }
  return found;
}

std::vector<double> doubles(const std::string& bytes) {
  std::vector<double> values(bytes.size() / sizeof(double));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// "TAG STEP VALUE" of each scalar.
std::vector<std::string> scalars(const fs::path& path) {
  std::vector<std::string> found;
  for (const std::string& record : records(path)) {
    auto event = fields(record);
    if (!event.contains(5)) continue;
    auto value = fields(fields(event[5])[1]);
    if (!value.contains(2)) continue;
    found.push_back(
        fmt::format("{} {} {}", value[1], load<std::int64_t>(event[2]), load<float>(value[2])));
  }
  return found;
}

/// One second later at each event.
EventWriter::Clock ticking(double from) {
  return [time = from]() mutable { return time++; };
}

}  // namespace

TEST_CASE("CRC-32C: the examples of RFC 3720", "[tensorboard]") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
}

TEST_CASE("event files: a version, then events", "[tensorboard]") {
  const TemporaryFolder folder;
  EventWriter writer(folder.path / "new" / "run", ticking(1.6e9));
  writer.scalar("loss/train", 300, 0.1);
  writer.scalar("empty", -1, std::numeric_limits<double>::quiet_NaN());
  const FileState state = writer.sync();
  CHECK(writer.path().parent_path() == folder.path / "new" / "run");
  CHECK_THAT(writer.path().filename().string(), contains("events.out.tfevents.1600000000."));
  CHECK(state.length == fs::file_size(writer.path()));

  const auto events = records(writer.path());
  REQUIRE(events.size() == 3);
  auto first = fields(events[0]);
  CHECK(first[3] == "brain.Event:2");
  auto scalar = fields(events[1]);
  CHECK(load<double>(scalar[1]) == load<double>(first[1]) + 1);
  CHECK(load<std::int64_t>(scalar[2]) == 300);
  auto value = fields(fields(scalar[5])[1]);
  CHECK(value[1] == "loss/train");
  CHECK(load<float>(value[2]) == 0.1f);
  auto last = fields(events[2]);
  CHECK(load<std::int64_t>(last[2]) == -1);
  CHECK(std::isnan(load<float>(fields(fields(last[5])[1])[2])));
}

TEST_CASE("event files: histograms", "[tensorboard]") {
  const TemporaryFolder folder;
  EventWriter writer(folder.path, ticking(0));
  const auto written = [&](const std::vector<double>& values) {
    writer.histogram("coherence", 7, values);
    writer.sync();
    auto event = fields(records(writer.path()).back());
    CHECK(load<std::int64_t>(event[2]) == 7);
    auto value = fields(fields(event[5])[1]);
    CHECK(value[1] == "coherence");
    return fields(value[5]);
  };
  auto h = written({0.0, 0.25, 3.0, 1.0, 2.95});
  CHECK(load<double>(h[1]) == 0.0);
  CHECK(load<double>(h[2]) == 3.0);
  CHECK(load<double>(h[3]) == 5.0);
  CHECK(load<double>(h[4]) == Approx(7.2));
  CHECK(load<double>(h[5]) == Approx(18.765));
  auto limits = doubles(h[6]);
  auto counts = doubles(h[7]);
  REQUIRE(limits.size() == 30);
  CHECK(limits.front() == Approx(0.1));
  CHECK(limits.back() == 3.0);
  std::vector<double> expected(30, 0.0);
  expected[0] = expected[2] = expected[10] = 1;
  expected[29] = 2;  // with the greatest value
  CHECK(counts == expected);

  h = written({-2, -2});
  CHECK(doubles(h[6]) == std::vector<double>{-2});
  CHECK(doubles(h[7]) == std::vector<double>{2});

  constexpr double kHuge = std::numeric_limits<double>::max();  // the range is not a double
  h = written({-kHuge, 0.5, kHuge});
  counts = doubles(h[7]);
  CHECK(counts.front() == 1);
  CHECK(counts[15] == 1);
  CHECK(counts.back() == 1);

  const FileState before = writer.sync();
  CHECK_THROWS_AS(writer.histogram("t", 0, {}), ValueError);
  CHECK_THROWS_WITH(writer.histogram("t", 4, std::vector{1.0, std::nan("")}),
                    contains("'t' at step 4"));
  CHECK(writer.sync() == before);
}

TEST_CASE("event files: a resumed run leaves every event once", "[tensorboard]") {
  const TemporaryFolder folder;
  fs::path path;
  FileState begun, checkpoint;
  {
    EventWriter writer(folder.path, ticking(10));
    begun = writer.sync();
    writer.scalar("a", 1, 1);
    path = writer.path();
    checkpoint = writer.sync();
    writer.scalar("a", 2, 2);
    writer.scalar("a", 3, 3);
  }
  fs::resize_file(path, fs::file_size(path) - 5);  // killed while it wrote
  {
    EventWriter writer = EventWriter::resume(path, checkpoint, ticking(20));
    CHECK(writer.sync() == checkpoint);
    CHECK(fs::file_size(path) == checkpoint.length);
    writer.scalar("a", 2, 2.5);
    EventWriter moved = std::move(writer);
    moved.scalar("a", 3, 3.5);
    const FileState end = moved.sync();
    CHECK(end.length == fs::file_size(path));
  }
  CHECK(scalars(path) == std::vector<std::string>{"a 1 1", "a 2 2.5", "a 3 3.5"});

  {
    EventWriter writer = EventWriter::resume(path, begun, ticking(30));
    writer.scalar("a", 1, 9);
  }
  CHECK(fields(records(path).front())[3] == "brain.Event:2");
  CHECK(scalars(path) == std::vector<std::string>{"a 1 9"});
}

TEST_CASE("event files that cannot be written", "[tensorboard]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "file";
  std::ofstream(file) << "abc";
  CHECK_THROWS_AS(EventWriter(file), IoError);
  CHECK_THROWS_WITH(EventWriter::resume(folder.path / "absent", {}), contains("absent"));
  CHECK_THROWS_AS(EventWriter::resume(folder.path, {}), IoError);
  CHECK_THROWS_WITH(EventWriter::resume(file, {4, ""}), contains("shorter than at the checkpoint"));
  CHECK(fs::file_size(file) == 3);

  const auto noon = [] { return 43200.0; };
  const EventWriter writer(folder.path, noon);
  CHECK_THROWS_AS(EventWriter(folder.path, noon), IoError);  // never over another run's events
}

}  // namespace cograd::testing
