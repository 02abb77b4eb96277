// IDX files: good ones, and every way of being malformed.
#include "cograd/data/idx.h"

#include <zlib.h>

#include <fstream>

#include "cograd/data/mnist.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

std::string header(std::initializer_list<std::uint32_t> extents, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(extents.size())};
  for (std::uint32_t e : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(e >> shift);
  }
  return bytes;
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_gzip(const std::filesystem::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) ==
          static_cast<int>(bytes.size()));
  gzclose(file);
}

}  // namespace

TEST_CASE("IDX: the same content plain and compressed", "[idx]") {
  const TemporaryFolder folder;
  const std::string bytes = header({2, 3}) + "abcdef";
  write(folder.path / "plain", bytes);
  write_gzip(folder.path / "packed.gz", bytes);
  for (const char* name : {"plain", "packed.gz"}) {
    CAPTURE(name);
    const Idx idx = read_idx(folder.path / name);
    CHECK(idx.shape == Shape{2, 3});
    CHECK(std::string(idx.values.begin(), idx.values.end()) == "abcdef");
  }
}

TEST_CASE("IDX: malformed files are refused by name", "[idx]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "bad-idx";
  const auto refuses = [&](const std::string& bytes, const std::string& reason) {
    write(file, bytes);
    CHECK_THROWS_AS(read_idx(file), FormatError);
    CHECK_THROWS_WITH(read_idx(file), contains("bad-idx") && contains(reason));
  };
  refuses("", "too short");
  refuses("\x12\x34\x08\x01", "begins with 12340801");
  refuses(header({2}, 0x0D) + "ab", "holds 32-bit floats (type 0x0d): expected unsigned bytes");
  refuses(header({2}, 0x0B) + "ab", "holds 16-bit integers");
  refuses("<!DOCTYPE html>", "(it is a web page)");
  refuses("PK\x03\x04", "(it is a zip archive)");
  refuses("\x80\x04\x95\x10", "(it is a Python pickle)");
  refuses(header({}), "axes");
  refuses(header({1, 1, 1, 1, 1, 1, 1}) + "a", "axes");
  refuses(header({2, 3}).substr(0, 9), "inside its header");
  refuses(header({2, 3}) + "abcde", "truncated: 5 of 6");
  refuses(header({2, 3}) + "abcdefg", "more data");
  refuses(header({0xFFFFFFFF, 0xFFFFFFFF}), "absurd");
  refuses(header({0x7FFFFFFF}) + "abc", "truncated");  // and without asking for 2 GiB

  const auto packed = folder.path / "packed";
  const auto damaged = [&](auto damage) {
    write_gzip(packed, header({100, 100}) + std::string(10'000, 'x'));
    REQUIRE(read_idx(packed).values.size() == 10'000);
    damage();
    CHECK_THROWS_AS(read_idx(packed), FormatError);
  };
  for (std::uintmax_t missing : {3, 12}) {  // of the checksum only, and of the content
    CAPTURE(missing);
    damaged([&] {
      std::filesystem::resize_file(packed, std::filesystem::file_size(packed) - missing);
    });
  }
  damaged([&] {  // another checksum
    std::fstream file_stream(packed, std::ios::binary | std::ios::in | std::ios::out);
    file_stream.seekp(-8, std::ios::end).write("\x12\x34\x56\x78", 4);
  });
}

TEST_CASE("IDX: files that cannot be read", "[idx]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_idx(folder.path / "absent"), IoError);
  CHECK_THROWS_AS(read_idx(folder.path), IoError);
  CHECK_THROWS_AS(read_idx(folder.path / std::string(300, 'x')), IoError);  // too long a name
  if (std::filesystem::exists("/proc/self/mem")) {  // opens, but nothing is at address 0
    CHECK_THROWS_AS(read_idx("/proc/self/mem"), IoError);
  }
}

TEST_CASE("MNIST: the four files must fit together", "[idx]") {
  const TemporaryFolder folder;
  const auto images = folder.path / "train-images-idx3-ubyte";
  const auto labels = folder.path / "train-labels-idx1-ubyte";
  CHECK_THROWS_WITH(open_mnist(folder.path, Split::train),
                    contains("train-images-idx3-ubyte") && contains("data/fetch.sh mnist"));
  write(folder.path / "train-images.idx3-ubyte", "");  // as a well-known archive has it
  write(folder.path / "emnist-letters-train-labels-idx1-ubyte.gz", "");
  CHECK_THROWS_WITH(open_mnist(folder.path, Split::train),
                    contains("(it holds emnist-letters-train-labels-idx1-ubyte.gz, "
                             "train-images.idx3-ubyte)"));
  CHECK_THROWS_WITH(open_mnist(folder.path / "none", Split::train),
                    contains("No such file or directory"));
  write(images, header({2, 1, 2}) + std::string{0, '\xff', '\x33', 0});
  write(labels, header({2}) + std::string{7, 3});
  const DatasetPtr set = open_mnist(folder.path, Split::train);
  CHECK(set->size() == 2);
  CHECK(set->image_shape() == Shape{1, 1, 2});
  CHECK(set->get(0).pixels == std::vector<float>{0.0f, 1.0f});
  CHECK(set->get(1).label == 3);
  CHECK_THROWS_AS(set->get(2), ValueError);

  write(labels, header({3}) + std::string{7, 3, 1});
  CHECK_THROWS_WITH(open_mnist(folder.path, Split::train),
                    contains("2 images") && contains("3 labels"));
  write(labels, header({2}) + std::string{7, 10});
  CHECK_THROWS_WITH(open_mnist(folder.path, Split::train),
                    contains("label 10 of example 1 is above 9: expected 10 classes"));
  write(labels, header({2, 1}) + std::string{7, 1});
  CHECK_THROWS_AS(open_mnist(folder.path, Split::train), FormatError);
  std::filesystem::rename(images, folder.path / "other");
  write(images, header({2}) + std::string{7, 3});
  std::filesystem::rename(folder.path / "other", labels);
  CHECK_THROWS_WITH(open_mnist(folder.path, Split::train), contains("the two are exchanged"));
}

}  // namespace cograd::testing
