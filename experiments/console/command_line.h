// What the command lines of all programs have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace cograd {

/// The command line cannot be understood.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Fills what `app` is bound to. Returns an empty string, or the text that was asked for by --help
/// or --version: it is to be printed instead of running. Throws UsageError, which tells what an
/// unknown option may have meant.
std::string parse_command_line(CLI::App& app, int argc, const char* const* argv);

/// The text of --help, in lines of at most `width` columns, 20 at least.
std::string help_of(CLI::App& app, std::size_t width);

/// Sets `threads` to what --threads says, 1 to kMaxThreads, if the flag is given.
void add_threads_option(CLI::App& app, int& threads);

/// CLI11's own range check prints the largest double as the upper end.
CLI::Validator at_least(int low);

/// One of these; the complaint names the nearest.
CLI::Validator one_of(std::vector<std::string> names);

/// What of `names` `text` may have been meant to be, as ": did you mean mnist?"; empty if none is
/// near.
std::string did_you_mean(std::string_view text, const std::vector<std::string>& names);

/// The command line as a shell would need it, in printable text.
std::string quoted_command(int argc, const char* const* argv);

/// Runs the body of a main(): an Error becomes one line on stderr, "NAME: error: ...", and the exit
/// status 2 for a command line that cannot be understood, 1 for everything else, also when what was
/// printed to stdout could not be written; 128 and the signal after an interruption.
int report_errors(std::string_view name, const std::function<void()>& body);

}  // namespace cograd
