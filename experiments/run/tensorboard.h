// Event files, which TensorBoard shows: scalars and histograms over the steps of a run.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cograd {

/// Seconds since 1970 by the system's clock.
double wall_time();

/// Appends events to one file. What a killed process leaves may end in the middle of an event; a
/// run that goes on from a checkpoint takes up its file with resume().
class EventWriter {
 public:
  using Clock = std::function<double()>;

  /// Starts events.out.tfevents.SECONDS.HOST in `folder`, which is made if it is not there. `clock`
  /// tells the wall time of each event. Throws IoError, also if the file exists already.
  explicit EventWriter(const std::filesystem::path& folder, Clock clock = wall_time);

  /// Continues the file at `path` after its first `length` bytes and drops the others: events that
  /// the resumed run will write again. With a length of 0 the file starts anew. Throws IoError,
  /// also if the file is shorter than that.
  static EventWriter resume(const std::filesystem::path& path, std::uint64_t length,
                            Clock clock = wall_time);

  /// The value is stored as a float. `tag` is UTF-8; tags with a common "prefix/" are shown
  /// together. Throws IoError.
  void scalar(std::string_view tag, std::int64_t step, double value);

  /// The distribution of `values`, in buckets of equal width from the least to the greatest.
  /// Throws IoError, and ValueError unless there are values and all are finite.
  void histogram(std::string_view tag, std::int64_t step, std::span<const double> values);

  /// All events reach the disk. Throws IoError.
  void flush();

  /// Bytes of all events so far. After a flush(), this is where resume() can take up the file.
  std::uint64_t length() const { return length_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  EventWriter(std::filesystem::path path, const char* mode, std::uint64_t length, Clock clock);
  void write_summary(std::int64_t step, const std::string& value);
  void write_record(std::string_view data);
  void check(bool ok, const char* action) const;

  std::filesystem::path path_;
  Clock clock_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t length_;
};

}  // namespace cograd
