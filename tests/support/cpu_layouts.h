// What the tests of the cpu backend share.
#pragma once

#include "cograd/engine/cpu/cpu_backend.h"
#include "tests/support/backend_cases.h"

namespace cograd::testing {

inline constexpr Layout kLayouts[] = {Layout::row_major, Layout::channels_last, Layout::blocked8,
                                      Layout::blocked16};

/// Whether ops hand on blocked layouts: the reference's convolution and pooling cannot read them.
#ifdef COGRAD_HAS_ONEDNN
inline constexpr bool kTravelsInBlocks = true;
#else
inline constexpr bool kTravelsInBlocks = false;
#endif

inline Tensor fast(const Tensor& t) { return t.to(cpu_backend()); }

}  // namespace cograd::testing
