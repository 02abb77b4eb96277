// A process that does runs of another one's study.
//
// It is the same program with the same command line, told by a variable of its environment that it
// is a worker. So it reads the same options and data, goes through the parts of the study that are
// over, and does runs where the study's own process would.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>

#include "cograd/experiments/console/progress.h"

namespace cograd {

inline constexpr const char* kWorkerVariable = "COGRAD_WORKER";

/// What a worker was told when it was started.
struct WorkerPlace {
  int commands = -1, messages = -1;  ///< descriptors to read from and to write to
  int threads = 1;                   ///< of its runs
  std::filesystem::path folder;      ///< --output-dir of the part of the study that it serves
};

/// Of this process; nothing unless it is a worker. Throws ValueError for a variable of another kind.
std::optional<WorkerPlace> worker_place();

/// Does the runs that it is told to do, and ends the process.
[[noreturn]] void serve(const WorkerPlace& place,
                        const std::function<void(std::size_t, Progress&)>& run);

}  // namespace cograd
