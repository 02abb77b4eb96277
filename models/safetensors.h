// The safetensors file format: 8 bytes little-endian header length, a JSON header
// {name: {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {string: string}}, and
// the raw little-endian data, back to back. https://github.com/huggingface/safetensors
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cograd/engine/file.h"
#include "cograd/engine/tensor.h"

namespace cograd {

struct Safetensors {
  std::map<std::string, std::string> metadata;
  /// In the order of their data in the file.
  std::vector<std::pair<std::string, Tensor>> tensors;
  /// Names and types ("I8", "F8_E4M3") of tensors that were not read, since the engine lacks the
  /// type.
  std::map<std::string, std::string> unread;

  bool contains(const std::string& name) const;
  /// Throws ValueError for a missing tensor, DtypeError for one that was not read.
  const Tensor& at(const std::string& name) const;
};

/// Reads F64, F32, BF16, I64, I32 and U8 tensors, and F16 as f32, onto the reference backend.
/// Throws IoError if the file is unreadable, FormatError naming the path and the fault, or the
/// actual format, if it is malformed.
Safetensors read_safetensors(const std::filesystem::path& path);

/// Writes atomically, as OutputFile does: at every moment there is the old file or the new one.
/// Tensors may be on any backend. Throws IoError.
void write_safetensors(const std::filesystem::path& path, const Safetensors& content,
                       Existing existing = Existing::replace);

}  // namespace cograd
