#include "cograd/experiments/study/jobs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <limits>
#include <map>
#include <new>
#include <nlohmann/json.hpp>

#include "cograd/engine/available_memory.h"
#include "cograd/engine/available_processors.h"
#include "cograd/engine/parallel/launch_environment.h"
#include "cograd/engine/text.h"
#include "cograd/engine/threads.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/terminal.h"
#include "cograd/experiments/grid/workers.h"
#include "cograd/experiments/record/run_results.h"
#include "cograd/experiments/study/study.h"

namespace cograd {
namespace {

namespace fs = std::filesystem;

/// The threads that all runs share: as many as the process had at first.
int threads_of_process() {
  static const int threads = thread_count();
  return threads;
}

/// The threads of the first run that the output folder holds; 0: none.
int threads_in_folder(const Study& study) {
  for (const RunSettings& run : study.runs) {
    for (const char* ending : {"", kFailed, kPartial}) {
      const fs::path folder =
          fs::path(study.options.output_dir) / (directory_name_of(run) + ending);
      std::error_code unreadable;  // counts as none
      if (!fs::exists(folder / "config.json", unreadable)) continue;
      const nlohmann::ordered_json config = read_config(folder);
      const auto threads = config.find("threads");
      if (threads == config.end() || !threads->is_number_integer()) continue;
      const auto count = threads->get<std::int64_t>();
      if (count >= 1 && count <= kMaxThreads) return static_cast<int>(count);
    }
  }
  return 0;
}

/// Bytes of this process, which holds the data as a worker will.
double own_memory() {
  std::ifstream file("/proc/self/statm");
  double all = 0.0, resident = 0.0;
  file >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

int jobs_in_memory(const Study& study) {
  if (study.backend->device().type != DeviceType::cpu) return kMaxThreads;
  std::size_t peak = 0;
  for (const auto& [label, cost] : study.step_costs) peak = std::max(peak, cost.peak_bytes);
  const double fit = available_memory() / (own_memory() + static_cast<double>(peak));
  return static_cast<int>(std::clamp(fit, 1.0, static_cast<double>(kMaxThreads)));
}

/// Seconds of training when `at_once` runs have `threads` each; nothing if a step fails.
std::optional<double> seconds_of(const Study& study, int at_once, int threads, std::int64_t parts) {
  constexpr int kMeasurements = 3;
  set_thread_count(threads);
  std::map<std::string, double> steps;  // seconds, by label
  double sum = 0.0, longest = 0.0;
  for (const std::size_t i : study.todo) {
    const RunSettings& run = study.runs[i];
    const std::string label = label_of(run);
    if (!steps.contains(label)) {
      double least = std::numeric_limits<double>::max();
      for (int m = 0; m < kMeasurements; ++m) {
        try {
          least = std::min(least, measure_step(run, study.data, *study.backend).seconds);
        } catch (const std::bad_alloc&) {
          return std::nullopt;
        } catch (const Error&) {
          return std::nullopt;
        }
      }
      steps[label] = least;
    }
    const double examples =
        static_cast<double>(run.epochs * examples_per_epoch(run, study.data.train->size()));
    const double seconds = steps[label] * examples / static_cast<double>(run.batch_size);
    sum += seconds;
    longest = std::max(longest, seconds / static_cast<double>(parts));
  }
  return std::max(sum / at_once, longest);
}

int fastest(const Study& study, int most, std::int64_t parts) {
  const int threads = threads_of_process();
  std::optional<double> least = seconds_of(study, 1, threads, parts);
  int best = 1;
  for (int jobs = 2; least && jobs / 2 < most; jobs *= 2) {
    const int at_once = std::min(jobs, most);
    const std::optional<double> seconds =
        seconds_of(study, at_once, std::max(1, threads / at_once), parts);
    if (!seconds || *seconds >= *least) continue;
    least = seconds;
    best = at_once;
  }
  return best;
}

void do_here(const Jobs& jobs, const std::vector<std::size_t>& runs, ProgressDisplay& display,
             const std::function<std::string(std::size_t)>& label,
             const std::function<void(std::size_t, Progress&)>& run) {
  std::unique_ptr<RunQueue> queue = std::make_unique<ListQueue>(runs);
  if (jobs.ranks > 1) queue = std::make_unique<RankQueue>(runs);
  std::exception_ptr error;
  try {
    while (const std::optional<std::size_t> i = queue->next()) {
      check_interruption();
      RunProgress progress(display, *i, label(*i));
      run(*i, progress);
    }
  } catch (...) {
    error = std::current_exception();
  }
  queue.reset();  // waits for the other ranks
  if (error) std::rethrow_exception(error);
}

}  // namespace

Jobs jobs_here() {
  Jobs jobs{.threads = thread_count(), .worker = worker_place()};
  if (jobs.worker || !can_start_workers()) return jobs;
  const JobPlace place = job_place();
  require<ValueError>(place.size == 1 || place.by_mpi,
                      "[jobs] this is rank {} of {}, but not of mpirun's: expected mpirun, srun "
                      "with MPI, or --shard",
                      place.rank, place.size);
  jobs.rank = place.rank;
  jobs.ranks = place.size;
  return jobs;
}

bool threads_count_in(const Study& study) {
  return !study.options.run.model.starts_with("mlp") &&
         study.backend->device().type == DeviceType::cpu;
}

void keep_threads(Study& study) {
  if (!can_start_workers()) return;
  const int given = study.options.threads, all = threads_of_process();
  study.jobs.threads = given > 0 ? given : all;
  if (given == 0 && threads_count_in(study)) {
    if (const int kept = threads_in_folder(study); kept > 0) study.jobs.threads = kept;
  }
  if (study.jobs.serves(study.options.output_dir)) study.jobs.threads = study.jobs.worker->threads;
  set_thread_count(study.jobs.threads);
}

Jobs choose_jobs(const Study& study, std::int64_t parts) {
  Jobs jobs = study.jobs;
  const StudyOptions& options = study.options;
  const auto works = static_cast<std::int64_t>(study.todo.size()) * parts;
  const bool together = jobs.ranks > 1 || study.team->size() > 1;
  if (!can_start_workers() || jobs.worker || together || works <= 1) return jobs;
  const int all = threads_of_process();
  const bool fixed =
      options.threads > 0 || (threads_count_in(study) && threads_in_folder(study) > 0);
  const int fit = jobs_in_memory(study);
  const int most = static_cast<int>(std::min<std::int64_t>(works, fit));
  if (options.jobs > 0) {
    jobs.at_once = std::min(options.jobs, most);
    if (fit < options.jobs && fit < works) {
      show(stdout, fmt::format("note: {} runs at once instead of {}, for lack of memory\n",
                               jobs.at_once, options.jobs));
    }
  } else if (study.backend->device().type == DeviceType::cpu) {
    const int processors = std::max(1, available_processors() / jobs.threads);
    jobs.at_once = fixed ? std::min(processors, most) : fastest(study, std::min(all, most), parts);
  }
  if (!fixed) jobs.threads = std::max(1, all / jobs.at_once);
  set_thread_count(jobs.threads);
  return jobs;
}

std::map<std::size_t, std::string> do_works(
    const Jobs& jobs, const fs::path& folder, const std::vector<std::size_t>& todo,
    ProgressDisplay& display, const std::function<std::string(std::size_t)>& label,
    const std::function<void(std::size_t, Progress&)>& work) {
  if (jobs.at_once == 1) {
    do_here(jobs, todo, display, label, work);
    return {};
  }
  ListQueue queue(todo);
  return run_in_workers({jobs.at_once, jobs.threads, folder}, queue, display, label);
}

}  // namespace cograd
