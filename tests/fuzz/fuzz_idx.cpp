#include "cograd/data/idx.h"
#include "tests/fuzz/fuzz.h"

void cograd::fuzz::read_untrusted(const std::filesystem::path& path) { read_idx(path); }
