// The standard streams of a program.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

namespace cograd {

/// Writes to a standard stream. A stream that cannot be written, closed or on a full disk say, ends
/// nothing: its error flag stays set, for main() to see.
void show(std::FILE* out, std::string_view text);

/// Columns of the terminal that `out` is, else `otherwise`.
int terminal_width(std::FILE* out, int otherwise = 80);

/// Columns for text on `out`: those of a terminal, within 20 and 120 since longer lines are hard to
/// read; 100 for files and pipes.
std::size_t text_width(std::FILE* out);

/// Descriptors 0 to 2 that are closed become /dev/null, opened so that to use them fails: no file
/// of results can get their numbers. To write to a pipe that nobody reads becomes an error of
/// write().
void guard_standard_streams();

}  // namespace cograd
