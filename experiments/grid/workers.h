// Runs in processes of their own, several at once.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "cograd/experiments/console/progress.h"
#include "cograd/experiments/grid/run_queue.h"

namespace cograd {

struct Crew {
  int jobs = 1;                  ///< workers at once
  int threads = 1;               ///< of each
  std::filesystem::path folder;  ///< --output-dir
};

/// For the beginning of main(): workers will be started as this program with these arguments.
void workers_run(char* const* argv);
/// Whether workers_run() was called: a program that did not may do other things than a study.
bool can_start_workers();

/// Has workers do the runs of `queue`. Returns the reasons of the runs whose worker crashed, by
/// run; another worker does the next ones. Throws Interrupted after a signal, when all workers have
/// ended, and IoError for what concerns all runs.
std::map<std::size_t, std::string> run_in_workers(
    const Crew& crew, RunQueue& queue, ProgressDisplay& display,
    const std::function<std::string(std::size_t)>& label);

}  // namespace cograd
