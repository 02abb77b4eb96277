// What the command lines of all programs have in common.
#include "experiments/study/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

namespace cograd {
namespace {

/// The argument as a shell would need it.
std::string shell_quoted(const std::string& argument) {
  const bool plain = !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_@%+=:,./-", c);
  });
  if (plain) return argument;
  std::string quoted = "'";
  for (const char c : argument) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace

std::string parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  app.get_formatter()->column_width(28);
  for (CLI::Option* option : app.get_options()) option->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  return "";
}

CLI::Validator at_least(int low) {
  return {[low](std::string& text) {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            return end != text.c_str() && *end == '\0' && value >= low
                       ? std::string()
                       : fmt::format("'{}' is not a number of at least {}", text, low);
          },
          "", ""};
}

std::string quoted_command(int argc, const char* const* argv) {
  std::string command;
  for (int i = 0; i < argc; ++i) command += (i ? " " : "") + shell_quoted(argv[i]);
  return command;
}

int report_errors(std::string_view name, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const UsageError& error) {
    fmt::print(stderr, "{}: error: {} (--help lists the options)\n", name, error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: error: {}\n", name, error.what());
    return 1;
  }
}

}  // namespace cograd
