// Safetensors: round trips, all types, and other and malformed files refused by name.
#include "cograd/models/safetensors.h"

#include <sys/stat.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "cograd/engine/file.h"
#include "tests/support/catch.h"
#include "tests/support/gradient_check.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

void write_raw(const std::filesystem::path& path, const std::string& header,
               const std::string& data) {
  std::ofstream file(path, std::ios::binary);
  const std::uint64_t length = header.size();
  file.write(reinterpret_cast<const char*>(&length), 8);
  file << header << data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

TEST_CASE("safetensors: what is written is read", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "x.safetensors";
  Random random(51);
  Safetensors content;
  content.metadata["note"] = "a \"quoted\" line";
  content.tensors.emplace_back("w", normal({3, 2}, random, reference_backend(), Dtype::f32));
  content.tensors.emplace_back("d", normal({5}, random));
  content.tensors.emplace_back("n", Tensor::full({}, 7, Dtype::i64, reference_backend()));
  content.tensors.emplace_back("empty", Tensor::zeros({0, 4}, Dtype::u8, reference_backend()));
  write_safetensors(file, content);
  const Safetensors read = read_safetensors(file);
  CHECK(read.metadata == content.metadata);
  REQUIRE(read.tensors.size() == content.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    const Tensor& a = read.tensors[i].second;
    const Tensor& b = content.tensors[i].second;
    CAPTURE(read.tensors[i].first);
    CHECK(read.tensors[i].first == content.tensors[i].first);
    CHECK(a.shape() == b.shape());
    CHECK(a.dtype() == b.dtype());
    CHECK(std::memcmp(a.raw(), b.raw(), b.bytes()) == 0);
  }
  CHECK(!std::filesystem::exists(file.string() + ".partial"));
}

TEST_CASE("safetensors: a long header takes no time that grows with its square", "[safetensors]") {
  const TemporaryFolder folder;
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                          i > 0 ? "," : "", i);
  }
  write_raw(folder.path / "many", header + "}", "");
  CHECK(read_safetensors(folder.path / "many").tensors.size() == 50'000);
}

TEST_CASE("safetensors: malformed files are refused by name", "[safetensors]") {
  const TemporaryFolder folder;
  const auto file = folder.path / "bad.safetensors";
  const auto refuses = [&](const std::string& header, const std::string& data,
                           const std::string& reason) {
    write_raw(file, header, data);
    CAPTURE(header);
    CHECK_THROWS_AS(read_safetensors(file), FormatError);
    CHECK_THROWS_WITH(read_safetensors(file), contains("bad.safetensors") && contains(reason));
  };
  const std::string eight(8, '\0');
  refuses("{", "", "not valid JSON");
  refuses("[]", "", "not a JSON object");
  refuses(R"({"a":1})", "", "needs dtype");
  refuses(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", eight, "F99");
  refuses(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight, "shape");
  refuses(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight, "takes 12 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[4611686018427387904,16],"data_offsets":[0,8]}})", eight,
          "absurdly large");
  refuses(R"({"a":{"dtype":"F32","shape":[0,9223372036854775808],"data_offsets":[0,0]}})", "",
          "absurdly large");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight, "data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight.substr(4),
          "describes 8 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", eight + eight,
          "describes 8 bytes");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
          eight, "without gap or overlap");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          eight, "occurs twice");
  refuses(R"({"__metadata__":{"k":1}})", "", "metadata 'k'");

  std::ofstream(file, std::ios::binary) << "abc";
  CHECK_THROWS_WITH(read_safetensors(file), contains("too few"));
  std::ofstream(file, std::ios::binary) << std::string(8, '\xff') << "{}";
  CHECK_THROWS_WITH(read_safetensors(file), contains("claims"));
  CHECK_THROWS_AS(read_safetensors(folder.path / "absent"), IoError);
  CHECK_THROWS_AS(read_safetensors(folder.path), IoError);
}

TEST_CASE("a failed write leaves the old file and nothing else", "[safetensors]") {
  const TemporaryFolder folder;
  const Safetensors empty;
  CHECK_THROWS_AS(write_safetensors(folder.path / "no" / "such" / "x", empty), IoError);
  const auto target = folder.path / "folder";
  std::filesystem::create_directories(target / "occupied");  // a rename onto it must fail
  CHECK_THROWS_AS(write_safetensors(target, empty), IoError);
  CHECK(!std::filesystem::exists(target.string() + ".partial"));
}

TEST_CASE("safetensors: half precision is read as it is meant", "[safetensors]") {
  const TemporaryFolder folder;
  const std::vector<std::uint16_t> halves{0x3E00, 0xC000, 0x0001, 0x83FF, 0x0400, 0x7BFF,
                                          0x0000, 0x8000, 0x7C00, 0xFC00, 0x7E01};
  write_raw(folder.path / "x", R"({"x":{"dtype":"F16","shape":[11],"data_offsets":[0,22]}})",
            bytes_of(halves));
  const Tensor x = read_safetensors(folder.path / "x").at("x");
  REQUIRE(x.dtype() == Dtype::f32);
  const auto values = x.to_vector<float>();
  const std::vector<float> expected{1.5f,     -2.0f, 0x1p-24f, -1023 * 0x1p-24f, 0x1p-14f,
                                    65504.0f, 0.0f,  -0.0f,    INFINITY,         -INFINITY};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(std::bit_cast<std::uint32_t>(values[i]) == std::bit_cast<std::uint32_t>(expected[i]));
  }
  CHECK(std::isnan(values[10]));
}

TEST_CASE("safetensors: types that the engine lacks stop nobody who does not want them",
          "[safetensors]") {
  const TemporaryFolder folder;
  std::string header = R"({"__metadata__":null,"w":{"dtype":"F32","shape":[1],)"
                       R"("data_offsets":[0,4]})";
  std::string data = bytes_of<float>({2.5f});
  const std::vector<std::pair<std::string, int>> types{
      {"BOOL", 8},    {"I8", 8},      {"I16", 16},    {"U16", 16},    {"U32", 32},
      {"U64", 64},    {"C64", 64},    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8},
      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};
  for (const auto& [type, bits] : types) {
    const std::size_t begin = data.size();
    data += std::string(static_cast<std::size_t>(bits), '\1');  // of 8 elements
    header += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[2,4],"data_offsets":[{},{}]}})", type,
                          type, begin, data.size());
  }
  write_raw(folder.path / "x", header + "}", data);
  const Safetensors content = read_safetensors(folder.path / "x");
  CHECK(content.metadata.empty());
  CHECK(content.at("w").item() == 2.5);
  CHECK(content.unread.size() == types.size());
  for (const auto& entry : types) {
    const std::string& type = entry.first;
    CHECK_FALSE(content.contains(type));
    CHECK_THROWS_AS(content.at(type), DtypeError);
    CHECK_THROWS_WITH(content.at(type), contains(type));
  }
  write_raw(folder.path / "x", R"({"x":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", "1");
  CHECK_THROWS_WITH(read_safetensors(folder.path / "x"), contains("'x' ends within a byte"));
}

TEST_CASE("files of other kinds are called what they are", "[safetensors]") {
  using namespace std::string_literals;
  const TemporaryFolder folder;
  const auto file = folder.path / "weights";
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"PK\3\4\0\0\b\b\0\0archive/data.pkl"s, "zip archive"},
      {"\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "pickle"},
      {"\x80\5\x95\0\0\0\0\0\0\0\0}."s, "pickle"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS"},
      {"<!DOCTYPE html>\n<html><body>404</body></html>", "web page"},
      {"\xef\xbb\xbf\n\n <HTML lang=\"en\">", "web page"},
      {"<!-- a comment --><html></html>", "web page"},
      {"{\"error\": \"Repository not found\"}", "JSON"},
      {"Access to this file is denied.\n", "text"},
      {"Acc\xc3\xa8s refus\xc3\xa9 au fichier\n", "text"},
      {"\x89HDF\r\n\x1a\n\0\0\0\0"s, "HDF5"},
      {"GGUF\3\0\0\0\0\0\0\0"s, "GGUF"},
      {"\x93NUMPY\1\0v\0{'descr'"s, "NumPy"},
      {"\x1f\x8b\b\0\0\0\0\0"s, "gzip"},
      {"\xff\xd8\xff\xe0\0\x10JFIF\0"s, "JPEG"},
      {std::string(257, 'x') + "ustar" + std::string(250, '\0'), "tar archive"},
      {"", "empty"}};
  for (const auto& [bytes, kind] : kinds) {
    CAPTURE(bytes);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
    CHECK_THROWS_AS(read_safetensors(file), FormatError);
    CHECK_THROWS_WITH(read_safetensors(file),
                      contains("weights") && contains(kind) && contains("expected safetensors"));
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << kinds[0].first;
  CHECK_THROWS_WITH(read_safetensors(file), contains("safetensors.torch.save_file"));
  // 640 bytes of header begin like a pickle.
  std::string header = R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  header.resize(640, ' ');
  write_raw(file, header, "7");
  CHECK(read_safetensors(file).at("x").item() == '7');
}

TEST_CASE("nobody waits for weights that are no file", "[safetensors]") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_safetensors(folder.path / "pipe"), contains("is a pipe"));
  CHECK_THROWS_WITH(read_safetensors(folder.path), contains("is a folder"));
  CHECK_THROWS_WITH(read_safetensors("/dev/zero"), contains("is a device"));
}

TEST_CASE("safetensors: cut off anywhere, a file is refused", "[safetensors]") {
  const TemporaryFolder folder;
  Safetensors content;
  content.metadata["note"] = "text";
  content.tensors.emplace_back("w", Tensor::full({3, 2}, 1.0, Dtype::f32, reference_backend()));
  write_safetensors(folder.path / "whole", content);
  const std::string bytes = read_file(folder.path / "whole");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    write_file(folder.path / "cut", bytes.substr(0, size));
    CHECK_THROWS_AS(read_safetensors(folder.path / "cut"), FormatError);
  }
}

}  // namespace cograd::testing
