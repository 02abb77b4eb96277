// Has the name of a header of cograd's.
#pragma once

namespace own {

inline constexpr int kRows = 2;

}  // namespace own
