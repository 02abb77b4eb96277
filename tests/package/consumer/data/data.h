// Has the name of a header of cograd's.
#pragma once

namespace own {

inline constexpr const char* kData = "own data";

}  // namespace own
