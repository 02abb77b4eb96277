// How programs end.
#pragma once

#include <functional>
#include <string_view>

#include "cograd/engine/error.h"

namespace cograd {

/// An error in the command line.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// An error of another process of this job, which says it.
class SaidElsewhere : public Error {
 public:
  using Error::Error;
};

/// Runs the body of a main() and returns its exit status. An error becomes one line on stderr,
/// "NAME: error: ...", or none if it is SaidElsewhere: status 2 for a UsageError, 128 + signal for an interruption, else 1, also if
/// stdout could not be written.
int report_errors(std::string_view name, const std::function<void()>& body);

}  // namespace cograd
