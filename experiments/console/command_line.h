// The command line of a program: parsing, help and errors.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {

/// An error in the command line.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Fills the variables that `app` binds. Returns an empty string, or the text of --help or
/// --version, which the program prints instead of running. Throws UsageError; for an unknown option
/// it suggests a similar one.
std::string parse_command_line(CLI::App& app, int argc, const char* const* argv);

/// The text of --help, in lines of at most `width` columns, 20 at least.
std::string help_of(CLI::App& app, std::size_t width);

/// Adds --threads, which sets `threads` to 1 to kMaxThreads.
void add_threads_option(CLI::App& app, int& threads);

/// Checks for a number of at least `low`. CLI11's own range check prints the largest double as the
/// end.
CLI::Validator at_least(int low);

/// Checks for one of these names; the error suggests the nearest.
CLI::Validator one_of(std::vector<std::string> names);

/// Suggests the nearest of `names`, as ": did you mean mnist?"; empty if none is near `text`.
std::string did_you_mean(std::string_view text, const std::vector<std::string>& names);

/// The command line as printable text that a shell can run.
std::string quoted_command(int argc, const char* const* argv);

/// Runs the body of a main() and returns its exit status. An error becomes one line on stderr,
/// "NAME: error: ...": status 2 for a UsageError, 128 + signal for an interruption, else 1, also if
/// stdout could not be written.
int report_errors(std::string_view name, const std::function<void()>& body);

}  // namespace cograd
