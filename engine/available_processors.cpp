#include "cograd/engine/available_processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

#include "cograd/engine/control_groups.h"

#ifdef _OPENMP
#include <omp.h>
#elif defined(__linux__)
#include <sched.h>
#endif

namespace cograd {
namespace {

int processors_by_affinity() {
#ifdef _OPENMP
  return omp_get_num_procs();  // also where OMP_PROC_BIND has bound this thread to one of them
#else
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
#endif
}

/// Processors of one group's own limit.
std::optional<double> limit_of(const ControlGroup& group) {
  const auto& [folder, unified] = group;
  double quota = -1.0, period = 0.0;
  if (unified) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max 100000" without a limit
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 without
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0.0 && period > 0.0)) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups("cpu", root)) {
    const std::optional<double> limit = limit_of(group);
    if (limit && (!least || *limit < *least)) least = limit;
  }
  return least;
}

int available_processors() {
  const int processors = std::max(1, processors_by_affinity());
  const std::optional<double> quota = cpu_quota();
  if (!quota || *quota >= processors) return processors;
  return std::max(1, static_cast<int>(std::ceil(*quota)));
}

}  // namespace cograd
