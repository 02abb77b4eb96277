// A fuzz target is a file fuzz_READER.cpp that defines read_untrusted().
#pragma once

#include <filesystem>

namespace cograd::fuzz {

/// Reads a file with any content. What it may do about a malformed one is throw FormatError.
void read_untrusted(const std::filesystem::path& path);

}  // namespace cograd::fuzz
