// Checks of gradients by finite differences.
#pragma once

#include "cograd/engine/gradient_check.h"
#include "docs/course/exercises/check.h"

namespace course {

/// One check for the gradient of every input and parameter, which `what` introduces.
inline void check_gradients(Check& check, std::string_view what,
                            const cograd::GradientCheck& differences) {
  for (const auto& error : differences.errors()) {
    check.that(error.relative < 1e-6, fmt::format("{}gradient of {}", what, error.of),
               fmt::format("it differs from finite differences by {:.2g} of their size, expected "
                           "less than 1e-6",
                           error.relative));
  }
}

}  // namespace course
