// What the command lines of all programs have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace cograd {

/// The command line cannot be understood.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Fills what `app` is bound to. Returns an empty string, or the help text if that was asked for:
/// it is to be printed instead of running. Throws UsageError.
std::string parse_command_line(CLI::App& app, int argc, const char* const* argv);

/// CLI11's own range check prints the largest double as the upper end.
CLI::Validator at_least(int low);

/// The command line as a shell would need it.
std::string quoted_command(int argc, const char* const* argv);

/// Runs the body of a main(): an Error becomes one line on stderr, "NAME: error: ...", and the exit
/// status 2 for a command line that cannot be understood, 1 for everything else.
int report_errors(std::string_view name, const std::function<void()>& body);

}  // namespace cograd
