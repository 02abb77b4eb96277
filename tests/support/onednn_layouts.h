// What the tests of the onednn backend share.
#pragma once

#include "engine/onednn/onednn_backend.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {

inline constexpr Layout kLayouts[] = {Layout::row_major, Layout::channels_last, Layout::blocked8,
                                      Layout::blocked16};

inline Tensor fast(const Tensor& t) { return t.to(onednn_backend()); }

}  // namespace cograd::testing
