// Event files for TensorBoard: scalars and histograms over the steps of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cograd/experiments/record/append_file.h"

namespace cograd {

/// Seconds since 1970 by the system's clock.
double wall_time();

/// Appends events to one file. A killed process may leave an incomplete event at the end; a resumed
/// run cuts it off with resume().
class EventWriter {
 public:
  using Clock = std::function<double()>;

  /// Starts events.out.tfevents.SECONDS.HOST in `folder`, which is made if it is missing. `clock`
  /// gives the wall time of each event. Throws IoError, also if the file exists already.
  explicit EventWriter(const std::filesystem::path& folder, Clock clock = wall_time);

  /// Continues the file at `path` from `state`; later events are cut off. Throws as
  /// AppendFile::resume().
  static EventWriter resume(const std::filesystem::path& path, const FileState& state,
                            Clock clock = wall_time);

  /// The value is stored as a float. `tag` is UTF-8; tags with a common "prefix/" are shown
  /// together. Throws IoError.
  void scalar(std::string_view tag, std::int64_t step, double value);

  /// The distribution of `values`, in buckets of equal width from the least to the greatest.
  /// Throws IoError, and ValueError unless there are values and all are finite.
  void histogram(std::string_view tag, std::int64_t step, std::span<const double> values);

  /// Writes all events to the disk and returns a state for resume(). Throws IoError.
  FileState sync() { return file_.sync(); }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  EventWriter(AppendFile file, Clock clock) : file_(std::move(file)), clock_(std::move(clock)) {}
  void write_summary(std::int64_t step, const std::string& value);
  void write_record(std::string_view data);

  AppendFile file_;
  Clock clock_;
};

}  // namespace cograd
