// The standard streams of a program.
#pragma once

#include <cstdio>
#include <string_view>

namespace cograd {

/// Writes to a standard stream. A stream that cannot be written, closed or on a full disk say, ends
/// nothing: its error flag stays set, for main() to see.
void show(std::FILE* out, std::string_view text);

/// Columns of the terminal that `out` is, else `otherwise`.
int terminal_width(std::FILE* out, int otherwise = 80);

/// Descriptors 0 to 2 that are closed become /dev/null, opened so that to use them fails: no file
/// of results can get their numbers. To write to a pipe that nobody reads becomes an error of
/// write().
void guard_standard_streams();

}  // namespace cograd
