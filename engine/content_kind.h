// What a file is that is not what it should be.
#pragma once

#include <cstddef>
#include <string_view>

namespace cograd {

/// Bytes that tell all that what_it_is() can.
inline constexpr std::size_t kTellingBytes = 512;

/// "it is a Python pickle", "it is compressed by gzip", ... as the first bytes tell; "" if they do
/// not. For messages.
std::string_view what_it_is(std::string_view first_bytes);

}  // namespace cograd
