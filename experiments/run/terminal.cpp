#include "experiments/run/terminal.h"

#include <sys/ioctl.h>

namespace cograd {

void show(std::FILE* out, std::string_view text) {
  // The error flag of the stream stays set for whoever must know.
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), out));
}

int terminal_width(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0) return 100;
  return size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace cograd
