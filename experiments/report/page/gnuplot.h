// The gnuplot process.
#pragma once

#include <string>

namespace cograd {

/// What gnuplot writes for a script, without a user's settings. Throws IoError if it cannot be
/// started or complains.
std::string run_gnuplot(const std::string& script);

}  // namespace cograd
