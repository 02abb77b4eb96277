// What the programs print: messages may be lost, but they end no run.
#pragma once

#include <cstdio>
#include <string_view>

namespace cograd {

/// Writes `text` to `out`. Never throws: what cannot be written is lost, and the stream's error
/// flag tells.
void show(std::FILE* out, std::string_view text);

/// Columns of the terminal that `out` is; 100 if it is none, 80 if it does not say.
int terminal_width(std::FILE* out);

}  // namespace cograd
