// The standard streams of a program.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

namespace cograd {

/// Writes to a standard stream. A failing stream, say on a full disk, ends nothing; its error flag
/// stays set for main() to check.
void show(std::FILE* out, std::string_view text);

/// Columns of the terminal on `out`; `otherwise` if it is none.
int terminal_width(std::FILE* out, int otherwise = 80);

/// Columns for text on `out`: those of a terminal, within 20 and 120 since longer lines are hard to
/// read; 100 for files and pipes.
std::size_t text_width(std::FILE* out);

/// Opens closed descriptors 0 to 2 as /dev/null, in the mode that fails on use, so that no file of
/// results gets their numbers. Ignores SIGPIPE, so that writing to a closed pipe is an error of
/// write().
void guard_standard_streams();

}  // namespace cograd
