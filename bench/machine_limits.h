// What the machine can do at most, to compare a kernel with.
#pragma once

#include <cstdint>

namespace cograd::bench {

/// Floating-point operations per second of float32 multiply-adds in registers, on all threads; a
/// multiply-add counts as two. Measured at the first call.
double peak_flops();

/// Bytes per second of a triad (a = b + s c) over three arrays of bytes / 3 each, on all threads:
/// the median of some sweeps, measured at the first call for so many bytes.
double triad_bandwidth(std::int64_t bytes);

}  // namespace cograd::bench
