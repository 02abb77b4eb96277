// What a file is, for messages about one that is not what was expected.
#pragma once

#include <string_view>

namespace cograd {

/// Bytes of a file that kind_of_content() wants to see.
inline constexpr std::size_t kKindBytes = 512;

/// What a file that begins with `head` seems to be: "a web page (HTML)", "a zip archive, as
/// torch.save() makes", "empty"; an empty text for what is not known.
std::string_view kind_of_content(std::string_view head);

}  // namespace cograd
