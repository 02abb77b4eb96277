// The version of the code.
#pragma once

namespace cograd {

/// "0.1.0 (d1ba2ea0c5f7)", with "-dirty" behind the commit where files differ from it; without a
/// commit when built outside a git checkout.
extern const char* const kVersion;

}  // namespace cograd
