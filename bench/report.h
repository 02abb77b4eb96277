// How the benchmarks are started and their results shown.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

namespace cograd::bench {

/// Marks a benchmark whose result is wrong: it is not timed, and run_all() returns 1.
void fail(benchmark::State& state, const std::string& why);

/// Runs the registered benchmarks that the command line chooses; returns the exit status. --help
/// prints `help` before Google Benchmark's own usage. Counters named *_share are shown as the plain
/// ratios that they are, not as rates.
int run_all(int argc, char** argv, const char* help);

}  // namespace cograd::bench
