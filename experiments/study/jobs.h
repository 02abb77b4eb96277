// How many runs of a study are done at once, and on how many threads each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cograd/experiments/grid/run_queue.h"
#include "cograd/experiments/grid/worker.h"
#include "cograd/experiments/study/options.h"

namespace cograd {

struct Study;

struct Jobs {
  int at_once = 1;  ///< 1: in this process
  int threads = 1;  ///< of each
  int rank = 0, ranks = 1;
  std::optional<WorkerPlace> worker;  ///< this process does runs of another's study

  /// Whether this process writes the files that are of no single run.
  bool leads() const { return !worker && rank == 0; }
  bool serves(const std::filesystem::path& folder) const {
    return worker && worker->folder == folder;
  }
};

/// The place of this process. Throws ValueError for ranks that are not mpirun's.
Jobs jobs_here();

/// Whether the results of the study's runs depend on their number of threads, since oneDNN splits
/// the sums of a convolution's weight gradient by it.
bool threads_count_in(const Study& study);

/// Sets the number of threads before the runs that are over are looked for: where threads count, to
/// that of the runs in the output folder, so that they can be resumed. Only in programs that have
/// called workers_run().
void keep_threads(Study& study);

/// --jobs, as far as memory suffices; for auto, the number that a few measured steps promise to be
/// the fastest. Each run counts as `parts` works, of which any may be done at once. Sets the number
/// of threads of this process to that of a run.
Jobs choose_jobs(const Study& study, std::int64_t parts = 1);

/// Has the works of `todo` of the study in `folder` done: here, by workers, or by the ranks of the
/// job, each of which does those that it gets. Returns the reasons of the works whose worker
/// crashed, by work. A rank that fails waits for the others, which take its works, before it throws.
std::map<std::size_t, std::string> do_works(
    const Jobs& jobs, const std::filesystem::path& folder, const std::vector<std::size_t>& todo,
    ProgressDisplay& display, const std::function<std::string(std::size_t)>& label,
    const std::function<void(std::size_t, Progress&)>& work);

}  // namespace cograd
