#include "cograd/experiments/console/program_errors.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/terminal.h"

namespace cograd {

int report_errors(std::string_view name, const std::function<void()>& body) {
  guard_standard_streams();
  const auto complain = [&](const std::string& text) {
    show(stderr, fmt::format("{}: {}\n", name, printable(text)));
  };
  try {
    body();
  } catch (const Interrupted& interruption) {
    complain(interruption.what());
    return 128 + interruption.signal();
  } catch (const UsageError& error) {
    complain(fmt::format("error: {} (--help lists the options)", error.what()));
    return 2;
  } catch (const SaidElsewhere&) {
    return 1;
  } catch (const std::exception& error) {
    complain(fmt::format("error: {}", error.what()));
    return 1;
  }
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  complain("error: standard output could not be written");
  return 1;
}

}  // namespace cograd
