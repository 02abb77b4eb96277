#include "data/index_file.h"
#include "tests/fuzz/fuzz.h"

void cograd::fuzz::read_untrusted(const std::filesystem::path& path) { read_index_file(path); }
