// Script and output pass through anonymous files, so no path needs quoting.
#include "cograd/experiments/report/page/gnuplot.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

File temporary_file() {
  File file(std::tmpfile());
  require<IoError>(file != nullptr, "[figures] no temporary file: {}", std::strerror(errno));
  return file;
}

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), n);
  }
  return text;
}

/// The environment, without variables that make gnuplot read other files or draw elsewhere.
std::vector<char*> environment_for_gnuplot() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("GNU") && !text.starts_with("FIT_")) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

}  // namespace

std::string run_gnuplot(const std::string& script) {
  const File in = temporary_file(), out = temporary_file(), errors = temporary_file();
  std::fwrite(script.data(), 1, script.size(), in.get());
  std::rewind(in.get());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(errors.get()), 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  char name[] = "gnuplot", defaults[] = "-d";  // without a user's initialization file
  char* const arguments[] = {name, defaults, nullptr};
  std::vector<char*> environment = environment_for_gnuplot();
  pid_t child = 0;
  const int failure = posix_spawnp(&child, name, &actions, nullptr, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  require<IoError>(failure == 0, "[figures] gnuplot cannot be started ({}): install gnuplot-nox",
                   std::strerror(failure));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  std::string complaint = content(errors.get());
  std::replace(complaint.begin(), complaint.end(), '\n', ' ');
  complaint = printable(complaint);
  require<IoError>(WIFEXITED(status) && WEXITSTATUS(status) == 0, "[figures] gnuplot failed: {}",
                   complaint);
  return content(out.get());
}

}  // namespace cograd
