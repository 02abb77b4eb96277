// A number that all ranks of an MPI job count up.
#pragma once

#include <cstddef>
#include <memory>

namespace cograd {

/// Lies in rank 0's memory, where the other ranks count it up by one-sided MPI: rank 0 need not
/// answer. All ranks construct it and destroy it together.
class JobCounter {
 public:
  /// Starts MPI where it has not been. Throws IoError, and DeviceError if MPI was not compiled in.
  JobCounter();
  /// Waits for the other ranks, unless an exception passes: then the job ends at exit.
  ~JobCounter();
  JobCounter(const JobCounter&) = delete;
  JobCounter& operator=(const JobCounter&) = delete;

  /// 0, 1, 2, ...: each once in the whole job.
  std::size_t next();

 private:
  struct Window;
  std::unique_ptr<Window> window_;
};

}  // namespace cograd
