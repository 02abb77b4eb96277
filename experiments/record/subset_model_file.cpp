#include "cograd/experiments/record/subset_model_file.h"

#include <cmath>
#include <string_view>

#include "cograd/data/checksum.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/error.h"
#include "cograd/engine/tensor.h"
#include "cograd/engine/text.h"
#include "cograd/models/safetensors.h"

namespace cograd {
namespace {

using Bits = std::vector<std::vector<bool>>;

std::int64_t bytes_for(std::int64_t bits) { return (bits + 7) / 8; }

/// [rows, bytes]: eight bits a byte, the first one lowest.
Tensor packed(const Bits& rows) {
  const auto count = std::ssize(rows), bytes = bytes_for(std::ssize(rows.front()));
  std::vector<std::uint8_t> values(static_cast<std::size_t>(count * bytes), 0);
  auto row_begin = values.begin();
  for (const std::vector<bool>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto& byte = row_begin[static_cast<std::ptrdiff_t>(i / 8)];
      byte = static_cast<std::uint8_t>(byte | (row[i] ? 1U << i % 8 : 0U));
    }
    row_begin += bytes;
  }
  return Tensor::from(values, {count, bytes}, reference_backend());
}

Bits unpacked(const Tensor& tensor, std::int64_t bits) {
  const auto bytes = tensor.to_vector<std::uint8_t>();
  const auto width = static_cast<std::size_t>(tensor.size(1));
  Bits rows;
  for (std::size_t begin = 0; begin < bytes.size(); begin += width) {
    std::vector<bool>& row = rows.emplace_back(static_cast<std::size_t>(bits));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = (bytes[begin + i / 8] >> i % 8 & 1U) != 0;
    }
  }
  return rows;
}

std::string checksum_of_tensors(const Safetensors& content) {
  Checksum checksum;
  for (const auto& [name, tensor] : content.tensors) {
    checksum.add(name).add({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()});
  }
  return checksum.text();
}

}  // namespace

void write_subset_model(const std::filesystem::path& path, const SubsetModel& model) {
  Safetensors content;
  content.tensors.emplace_back("included", packed({model.included}));
  content.tensors.emplace_back("right", packed(model.right));
  content.tensors.emplace_back(
      "el2n", Tensor::from(model.el2n, {std::ssize(model.el2n)}, reference_backend()));
  content.metadata["checksum"] = checksum_of_tensors(content);
  write_safetensors(path, content);
}

SubsetModel read_subset_model(const std::filesystem::path& path, std::int64_t examples,
                              std::int64_t epochs) {
  const Safetensors content = read_safetensors(path);
  const auto tensor = [&](const char* name, Dtype dtype, const Shape& shape) {
    const bool fits = content.contains(name) && content.at(name).dtype() == dtype &&
                      content.at(name).shape() == shape;
    require<FormatError>(fits, "[memorize] {} is damaged: expected a tensor {} {}: remove it",
                         printable(path.native()), name, shape);
    return content.at(name);
  };
  const auto checksum = content.metadata.find("checksum");
  require<FormatError>(
      checksum != content.metadata.end() && checksum->second == checksum_of_tensors(content),
      "[memorize] {} is damaged: its checksum is another: remove it", printable(path.native()));
  const std::int64_t bytes = bytes_for(examples);
  return {.included = unpacked(tensor("included", Dtype::u8, {1, bytes}), examples).front(),
          .right = unpacked(tensor("right", Dtype::u8, {epochs, bytes}), examples),
          .el2n = tensor("el2n", Dtype::f32, {examples}).to_vector<float>()};
}

}  // namespace cograd
