#include "cograd/experiments/console/command_line.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/columns.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/console/version.h"

namespace cograd {
namespace {

/// The argument, quoted for a shell if necessary.
std::string shell_quoted(const std::string& argument) {
  const bool plain = !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_@%+=:,./-", c);
  });
  if (plain) return argument;
  if (printable(argument) != argument) {  // not printable text
    std::string quoted = "$'";
    for (const char c : argument) {
      const bool special = c == '\'' || c == '\\' || static_cast<signed char>(c) < ' ' || c == 0x7F;
      quoted +=
          special ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return quoted + "'";
  }
  std::string quoted = "'";
  for (const char c : argument) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

/// The edit distance: letters to insert, delete, replace or swap with the next.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// The error for the first unknown option, else for the first extra argument.
std::string complaint_about_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  const auto option = std::find_if(extras.begin(), extras.end(),
                                   [](const std::string& extra) { return extra.starts_with("-"); });
  if (option == extras.end()) return fmt::format("unexpected argument '{}'", extras.at(0));
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> known;
  for (const CLI::Option* o : app.get_options()) {
    for (const std::string& known_name : o->get_lnames()) known.push_back("--" + known_name);
  }
  return fmt::format("unknown option {}{}", name, did_you_mean(name, known));
}

/// Wraps the help to a width: CLI11's own formatter leaves long lines as they are.
class HelpFormatter final : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::size_t width) : width_(width) {}

  std::string make_description(const CLI::App* app) const override {
    return side_by_side({app->get_description()}, {width_});
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    while (usage.ends_with('\n')) usage.pop_back();
    return side_by_side({usage}, {width_});
  }

  /// A flag and its description in two columns; in a narrow help the description comes below.
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    constexpr std::size_t kFlags = 26, kIndent = 2, kNarrow = 60;
    const std::string flag = make_option_name(option, is_positional) + make_option_opts(option);
    const std::string description = make_option_desc(option);
    const bool narrow = width_ < kNarrow;
    const std::size_t indent = narrow ? 2 * kIndent : kIndent + kFlags;
    const std::size_t rest = width_ - indent;
    if (!narrow && display_width(flag) <= kFlags - 2) {
      return side_by_side({"", flag, description}, {kIndent - 2, kFlags - 2, rest});
    }
    return side_by_side({"", flag}, {kIndent - 2, width_ - kIndent}) +
           (description.empty() ? "" : side_by_side({"", description}, {indent - 2, rest}));
  }

 private:
  std::size_t width_;
};

}  // namespace

std::string help_of(CLI::App& app, std::size_t width) {
  app.formatter(std::make_shared<HelpFormatter>(width));
  return app.help();
}

std::string parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  app.set_version_flag("--version", fmt::format("cograd {}", kVersion));
  for (CLI::Option* option : app.get_options()) {
    option->capture_default_str();
    const bool flag = option->get_expected_max() == 0;
    if (flag) option->disable_flag_override();  // --flag=3 would count as --flag
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return help_of(app, text_width(stdout));
  } catch (const CLI::CallForVersion&) {
    return app.version() + "\n";
  } catch (const CLI::ExtrasError&) {
    throw UsageError(complaint_about_extras(app));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  return "";
}

void add_threads_option(CLI::App& app, int& threads) {
  app.add_option_function<int>(
         "--threads", [&threads](int count) { threads = count; },
         "Threads of the CPU's loops; default: $OMP_NUM_THREADS, else as many as affinity and "
         "the container's quota allow, which runs at once share. Convolutional networks repeat to "
         "the bit on as many "
         "threads as before, MLPs on any number")
      ->check(CLI::Range(1, kMaxThreads).description(""));
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

CLI::Validator one_of(std::vector<std::string> names) {
  return {[names = std::move(names)](std::string& text) {
            if (std::find(names.begin(), names.end(), text) != names.end()) return std::string();
            const std::string hint = did_you_mean(text, names);
            return fmt::format("'{}' is unknown{} expected {}", printable(text),
                               hint.empty() ? ":" : hint, fmt::join(names, ", "));
          },
          "", ""};
}

std::string did_you_mean(std::string_view text, const std::vector<std::string>& names) {
  const auto nearest = std::min_element(
      names.begin(), names.end(),
      [&](const auto& a, const auto& b) { return edits(text, a) < edits(text, b); });
  const bool near = nearest != names.end() && edits(text, *nearest) <= 1 + nearest->size() / 4;
  return near ? fmt::format(": did you mean {}?", *nearest) : "";
}

std::string quoted_command(int argc, const char* const* argv) {
  std::string command;
  for (int i = 0; i < argc; ++i) command += (i ? " " : "") + shell_quoted(argv[i]);
  return command;
}

}  // namespace cograd
