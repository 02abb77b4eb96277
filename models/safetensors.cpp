#include "cograd/models/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cograd/engine/backend.h"
#include "cograd/engine/content_kind.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and copied as it is");

using Json = nlohmann::json;

struct Type {
  std::string_view code;
  std::uint64_t bits;  // of an element
  std::optional<Dtype> dtype;
};
/// All types of the format; the engine has the first few.
constexpr std::array kTypes{
    Type{"F64", 64, Dtype::f64}, Type{"F32", 32, Dtype::f32}, Type{"BF16", 16, Dtype::bf16},
    Type{"I64", 64, Dtype::i64}, Type{"I32", 32, Dtype::i32}, Type{"U8", 8, Dtype::u8},
    Type{"F16", 16, Dtype::f32},  // read as f32, which holds every f16
    Type{"BOOL", 8, {}},         Type{"I8", 8, {}},           Type{"I16", 16, {}},
    Type{"U16", 16, {}},         Type{"U32", 32, {}},         Type{"U64", 64, {}},
    Type{"C64", 64, {}},         Type{"F8_E4M3", 8, {}},      Type{"F8_E5M2", 8, {}},
    Type{"F8_E4M3FNUZ", 8, {}},  Type{"F8_E5M2FNUZ", 8, {}},  Type{"F8_E8M0", 8, {}},
    Type{"F6_E2M3", 6, {}},      Type{"F6_E3M2", 6, {}},      Type{"F4", 4, {}}};
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::uint64_t kMaxBits = std::uint64_t{1} << 62;

/// Throws FormatError about the file unless `ok`.
template <class... Args>
void expect(bool ok, const std::filesystem::path& path, fmt::format_string<Args...> what,
            Args&&... args) {
  if (!ok) {
    throw FormatError(fmt::format("[safetensors] {}: {}", printable(path.native()),
                                  fmt::format(what, std::forward<Args>(args)...)));
  }
}

/// One tensor's entry in the header.
struct Entry {
  std::string name;
  const Type* type;
  Shape shape;
  std::uint64_t begin, end;
};

Entry parse_entry(const std::filesystem::path& path, const std::string& name, const Json& json) {
  expect(json.is_object() && json.contains("dtype") && json.contains("shape") &&
             json.contains("data_offsets") && json["dtype"].is_string() &&
             json["shape"].is_array() && json["data_offsets"].is_array() &&
             json["data_offsets"].size() == 2,
         path, "the entry of tensor '{}' needs dtype, shape and two data_offsets", printable(name));
  Entry entry{name, nullptr, {}, 0, 0};
  const auto code = json["dtype"].get<std::string>();
  entry.type = std::find_if(kTypes.begin(), kTypes.end(),
                            [&](const Type& type) { return type.code == code; });
  expect(entry.type != kTypes.end(), path,
         "tensor '{}' has dtype '{}', which the format does not know", printable(name),
         printable(code));

  std::vector<std::int64_t> extents;
  std::uint64_t bits = entry.type->bits;
  for (const Json& extent : json["shape"]) {
    expect(extent.is_number_unsigned() && extents.size() < Shape::kMaxRank, path,
           "tensor '{}' has a shape that is not up to {} non-negative integers", printable(name),
           Shape::kMaxRank);
    const auto e = extent.get<std::uint64_t>();
    expect(e <= kMaxBits / std::max<std::uint64_t>(bits, 1), path, "tensor '{}' is absurdly large",
           printable(name));
    bits *= e;
    extents.push_back(static_cast<std::int64_t>(e));
  }
  const std::uint64_t bytes = bits / 8;
  expect(bits % 8 == 0, path, "tensor '{}' ends within a byte", printable(name));
  entry.shape = Shape(extents);
  const Json& offsets = json["data_offsets"];
  expect(offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(), path,
         "tensor '{}' has data_offsets that are not non-negative integers", printable(name));
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  expect(entry.begin <= entry.end && entry.end - entry.begin == bytes, path,
         "tensor '{}' of shape {} takes {} bytes, but its data_offsets are {} to {}",
         printable(name), entry.shape, bytes, entry.begin, entry.end);
  return entry;
}

/// Refuses tensors that occur twice; parsing into an object would hide them. A callback of
/// Json::parse would find them in time quadratic in the number of keys.
class UniqueKeys : public nlohmann::json_sax<Json> {
 public:
  explicit UniqueKeys(const std::filesystem::path& path) : path_(path) {}

  bool key(string_t& key) override {
    expect(depth_ != 1 || keys_.insert(key).second, path_, "tensor '{}' occurs twice",
           printable(key));
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
    expect(false, path, "the header is not valid JSON");
    throw;
  }
}

/// The header's text, and the offset of the tensors behind it.
struct Head {
  std::string json;
  std::uint64_t data = 0;
};

/// Refuses a file of another format, and names that format if it is known.
void refuse_others(const std::filesystem::path& path, std::string_view start) {
  const std::string_view kind = what_it_is(start);
  const bool torch_saved = kind.ends_with("pickle") || kind.ends_with("zip archive");
  expect(kind.empty() || (kind == "it is text" && start.size() < sizeof(std::uint64_t)), path,
         "{}: expected safetensors{}", kind,
         torch_saved ? "; if torch.save() made it, convert it with "
                       "safetensors.torch.save_file(torch.load(OLD), NEW)"
                     : "");
}

Head read_head(const InputFile& file, const std::filesystem::path& path) {
  const std::uint64_t size = file.size();
  std::string start(std::min<std::uint64_t>(size, kTellingBytes), '\0');
  file.read(0, start.data(), start.size());
  std::uint64_t length = 0;
  const bool has_length = size >= sizeof(length);
  if (has_length) std::memcpy(&length, start.data(), sizeof(length));
  const bool fits = has_length && length <= size - sizeof(length);
  if (!fits || start[sizeof(length)] != '{') refuse_others(path, start);
  expect(has_length, path, "{} bytes are too few for a header", size);
  expect(fits && length <= kMaxHeader, path, "the header claims {} bytes, but the file has {}",
         length, size);
  Head head{std::string(length, '\0'), sizeof(length) + length};
  file.read(sizeof(length), head.json.data(), length);
  return head;
}

/// IEEE 754's binary16.
float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1F,
                      fraction = half & 0x3FFu;
  if (exponent == 0) {  // zero, or a number below the normal ones
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t rebiased = exponent == 0x1F ? 0xFF : exponent + 127 - 15;
  return std::bit_cast<float>(sign | rebiased << 23 | fraction << 13);
}

Tensor read_tensor(const InputFile& file, const Entry& entry, std::uint64_t data) {
  Tensor tensor = Tensor::empty(entry.shape, *entry.type->dtype, reference_backend());
  if (entry.type->code == "F16") {
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(tensor.numel()));
    file.read(data + entry.begin, halves.data(), 2 * halves.size());
    std::transform(halves.begin(), halves.end(), tensor.data<float>(), half_to_float);
  } else {
    file.read(data + entry.begin, tensor.raw(), tensor.bytes());
  }
  return tensor;
}

std::map<std::string, std::string> parse_metadata(const std::filesystem::path& path,
                                                  const Json& json) {
  std::map<std::string, std::string> metadata;
  if (json.is_null()) return metadata;
  expect(json.is_object(), path, "__metadata__ is not a JSON object");
  for (const auto& [key, item] : json.items()) {
    expect(item.is_string(), path, "metadata '{}' is not a string", printable(key));
    metadata[key] = item.get<std::string>();
  }
  return metadata;
}

/// Checks that the entries fill `data_size` bytes without gap or overlap.
void check_offsets(const std::filesystem::path& path, std::vector<Entry>& entries,
                   std::uint64_t data_size) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    expect(entry.begin == expected, path,
           "the data of tensor '{}' begins at {}: expected {}, without gap or overlap",
           printable(entry.name), entry.begin, expected);
    expected = entry.end;
  }
  expect(expected == data_size, path, "the header describes {} bytes of data, but there are {}",
         expected, data_size);
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
  const auto other = unread.find(name);
  require<DtypeError>(other == unread.end(),
                      "[safetensors] tensor '{}' is {}: expected F64, F32, F16, BF16, I64, I32 or "
                      "U8",
                      printable(name), other == unread.end() ? "" : other->second);
  throw ValueError(fmt::format("[safetensors] there is no tensor '{}'", printable(name)));
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  const InputFile file(path);
  const Head head = read_head(file, path);
  const Json header = parse_header(path, head.json);
  Safetensors content;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      content.metadata = parse_metadata(path, value);
    } else {
      entries.push_back(parse_entry(path, name, value));
    }
  }
  check_offsets(path, entries, file.size() - head.data);
  for (const Entry& entry : entries) {
    if (entry.type->dtype) {
      content.tensors.emplace_back(entry.name, read_tensor(file, entry, head.data));
    } else {
      content.unread.emplace(entry.name, entry.type->code);
    }
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
    const auto* type =
        std::find_if(kTypes.begin(), kTypes.end(),
                     [dtype = tensor.dtype()](const Type& t) { return t.dtype == dtype; });
    header[name] = {
        {"dtype", type->code},
        {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
        {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Invalid UTF-8 in a name must not end a run.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
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
