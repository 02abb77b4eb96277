// The IDX file format of the MNIST family: a magic number (two zero bytes, the element type, the
// number of axes), the extents as big-endian 32-bit integers, and the elements in row-major order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "cograd/engine/shape.h"

namespace cograd {

/// The content of an IDX file of unsigned bytes (type 0x08).
struct Idx {
  Shape shape;
  std::vector<std::uint8_t> values;
};

/// Reads an IDX file, gzip-compressed or not. Throws IoError if it cannot be read, FormatError
/// naming the path, the fault and the expectation if it is malformed.
Idx read_idx(const std::filesystem::path& path);

}  // namespace cograd
