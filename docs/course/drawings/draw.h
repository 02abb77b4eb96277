// The drawings of the course, each from a computation by the engine.
#pragma once

#include <string>

namespace course {

/// A batch, its groups, their gradients, the median and the update, of a linear layer.
std::string draw_groups();
/// The tape of a small network with a residual block.
std::string draw_small_tape();
/// A median over three ranks, by DataParallel.
std::string draw_sharded_median();
/// Memory over a backward pass: the mean, M3, and K gradients that are stored.
std::string draw_memory();

}  // namespace course
