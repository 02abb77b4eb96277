// The command line of a program: parsing and help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cograd/experiments/console/program_errors.h"

namespace cograd {

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

}  // namespace cograd
