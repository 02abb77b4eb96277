// The IDX file format of the MNIST family: a magic number (two zero bytes, the element type, the
// number of axes), the extents as big-endian 32-bit integers, and the elements in row-major order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/shape.h"

namespace cograd {

/// The content of an IDX file of unsigned bytes (type 0x08).
struct Idx {
  Shape shape;
  std::vector<std::uint8_t> values;
};

/// Reads an IDX file, gzip-compressed or not. Throws IoError when it cannot be read, FormatError
/// naming the path, what was found and what was expected when it is not what it should be.
Idx read_idx(const std::filesystem::path& path);

}  // namespace cograd
