#include "models/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/backend.h"

namespace cograd {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and copied as it is");

using Json = nlohmann::json;

constexpr std::array<std::pair<std::string_view, Dtype>, 6> kDtypes{{{"F64", Dtype::f64},
                                                                     {"F32", Dtype::f32},
                                                                     {"BF16", Dtype::bf16},
                                                                     {"I64", Dtype::i64},
                                                                     {"I32", Dtype::i32},
                                                                     {"U8", Dtype::u8}}};
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 62;

/// Throws FormatError about the file unless `ok`.
template <class... Args>
void expect(bool ok, const std::filesystem::path& path, fmt::format_string<Args...> what,
            Args&&... args) {
  if (!ok) {
    throw FormatError(fmt::format("[safetensors] {}: {}", path.string(),
                                  fmt::format(what, std::forward<Args>(args)...)));
  }
}

/// One tensor's entry in the header.
struct Entry {
  std::string name;
  Dtype dtype;
  Shape shape;
  std::uint64_t begin, end;
};

Entry parse_entry(const std::filesystem::path& path, const std::string& name, const Json& json) {
  expect(json.is_object() && json.contains("dtype") && json.contains("shape") &&
             json.contains("data_offsets") && json["dtype"].is_string() &&
             json["shape"].is_array() && json["data_offsets"].is_array() &&
             json["data_offsets"].size() == 2,
         path, "the entry of tensor '{}' needs dtype, shape and two data_offsets", name);
  Entry entry{name, Dtype::f32, {}, 0, 0};
  const auto code = json["dtype"].get<std::string>();
  const auto* known = std::find_if(kDtypes.begin(), kDtypes.end(),
                                   [&](const auto& pair) { return pair.first == code; });
  expect(known != kDtypes.end(), path,
         "tensor '{}' has dtype '{}': expected F64, F32, BF16, I64, I32 or U8", name, code);
  entry.dtype = known->second;

  std::vector<std::int64_t> extents;
  std::uint64_t bytes = size_of(entry.dtype);
  for (const Json& extent : json["shape"]) {
    expect(extent.is_number_unsigned() && extents.size() < Shape::kMaxRank, path,
           "tensor '{}' has a shape that is not up to {} non-negative integers", name,
           Shape::kMaxRank);
    const auto e = extent.get<std::uint64_t>();
    expect(e <= kMaxBytes / std::max<std::uint64_t>(bytes, 1), path,
           "tensor '{}' is absurdly large", name);
    bytes *= e;
    extents.push_back(static_cast<std::int64_t>(e));
  }
  entry.shape = Shape(extents);
  const Json& offsets = json["data_offsets"];
  expect(offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(), path,
         "tensor '{}' has data_offsets that are not non-negative integers", name);
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  expect(entry.begin <= entry.end && entry.end - entry.begin == bytes, path,
         "tensor '{}' of shape {} takes {} bytes, but its data_offsets are {} to {}", name,
         entry.shape, bytes, entry.begin, entry.end);
  return entry;
}

/// Refuses tensors that occur twice, which parsing into an object would hide. A callback of
/// Json::parse could do so too, but with one it takes time that grows with the square of the keys.
class UniqueKeys : public nlohmann::json_sax<Json> {
 public:
  explicit UniqueKeys(const std::filesystem::path& path) : path_(path) {}

  bool key(string_t& key) override {
    expect(depth_ != 1 || keys_.insert(key).second, path_, "tensor '{}' occurs twice", key);
    return true;
  }
  bool start_object(std::size_t) override {
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }

 private:
  const std::filesystem::path& path_;
  std::set<std::string> keys_;
  int depth_ = 0;
};

Json parse_header(const std::filesystem::path& path, const std::string& text) {
  try {
    UniqueKeys unique_keys(path);
    Json::sax_parse(text, &unique_keys);
    Json header = Json::parse(text);
    expect(header.is_object(), path, "the header is not a JSON object");
    return header;
  } catch (const Json::exception&) {
    throw FormatError(fmt::format("[safetensors] {}: the header is not valid JSON", path.string()));
  }
}

}  // namespace

bool Safetensors::contains(const std::string& name) const {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

const Tensor& Safetensors::at(const std::string& name) const {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  throw ValueError(fmt::format("[safetensors] there is no tensor '{}'", name));
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  std::error_code unreadable;  // to open a pipe would be to wait for who writes to it
  const bool is_file = std::filesystem::is_regular_file(path, unreadable);
  std::ifstream file;
  if (is_file) file.open(path, std::ios::binary | std::ios::ate);
  require<IoError>(is_file && file.good(),
                   "[safetensors] cannot open {}: expected a readable file", path.string());
  const auto size = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);

  std::uint64_t length = 0;
  expect(size >= sizeof(length), path, "{} bytes are too few for a header", size);
  file.read(reinterpret_cast<char*>(&length), sizeof(length));
  expect(length <= kMaxHeader && length <= size - sizeof(length), path,
         "the header claims {} bytes, but the file has {}", length, size);
  std::string text(length, '\0');
  file.read(text.data(), static_cast<std::streamsize>(length));
  require<IoError>(file.good(), "[safetensors] cannot read {}", path.string());
  const Json header = parse_header(path, text);

  Safetensors content;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      expect(value.is_object(), path, "__metadata__ is not a JSON object");
      for (const auto& [key, item] : value.items()) {
        expect(item.is_string(), path, "metadata '{}' is not a string", key);
        content.metadata[key] = item.get<std::string>();
      }
    } else {
      entries.push_back(parse_entry(path, name, value));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const std::uint64_t data_size = size - sizeof(length) - length;
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    expect(entry.begin == expected, path,
           "the data of tensor '{}' begins at {}: expected {}, without gap or overlap", entry.name,
           entry.begin, expected);
    expected = entry.end;
  }
  expect(expected == data_size, path, "the header describes {} bytes of data, but there are {}",
         expected, data_size);

  for (const Entry& entry : entries) {
    Tensor tensor = Tensor::empty(entry.shape, entry.dtype, reference_backend());
    file.read(reinterpret_cast<char*>(tensor.raw()), static_cast<std::streamsize>(tensor.bytes()));
    require<IoError>(file.good(), "[safetensors] cannot read {}", path.string());
    content.tensors.emplace_back(entry.name, std::move(tensor));
  }
  return content;
}

void write_safetensors(const std::filesystem::path& path, const Safetensors& content,
                       Existing existing) {
  auto header = nlohmann::ordered_json::object();  // in the order of the data
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    require<ValueError>(!header.contains(name), "[safetensors] tensor '{}' is given twice", name);
    const std::uint64_t end =
        offset + static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    const auto* code =
        std::find_if(kDtypes.begin(), kDtypes.end(),
                     [dtype = tensor.dtype()](const auto& pair) { return pair.second == dtype; });
    header[name] = {
        {"dtype", code->first},
        {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
        {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts aligned

  OutputFile file(path, existing);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& [name, tensor] : content.tensors) {
    const Tensor host = tensor.row_major().to(reference_backend());
    file.write(host.raw(), host.bytes());
  }
  file.commit();
}

}  // namespace cograd
