// Bytes from elsewhere as text: names of files and classes may be any bytes.
#pragma once

#include <string>
#include <string_view>

namespace cograd {

/// `bytes` as UTF-8 that is safe on a terminal and in JSON, XML and messages of one line: bytes
/// that are no UTF-8, control characters and what reverses the direction of text become \xNN.
std::string printable(std::string_view bytes);

}  // namespace cograd
