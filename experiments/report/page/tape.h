// The tape of a loss as a drawing.
#pragma once

#include <string>

#include "cograd/engine/autograd.h"

namespace cograd {

/// An SVG file: one box for each Node that `loss` depends on, with the op, its place in the
/// backward pass, the shape of its result, and its parameters with the number of gradients that
/// each gets. The forward pass runs downwards. Call it before backward(), which consumes the tape.
/// Throws ValueError if the loss depends on nothing or its tape has been consumed.
std::string draw_tape(const Variable& loss, const std::string& title);

}  // namespace cograd
