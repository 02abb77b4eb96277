// The progress display of a study.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cograd/experiments/console/time_left.h"

namespace cograd {

/// State of a long loop, in units of work (examples).
struct ProgressState {
  std::string label;  ///< the current run
  std::int64_t done = 0;
  std::int64_t total = 1;
  double rate = 0.0;     ///< examples per second of the current run; 0: unknown
  double waiting = 0.0;  ///< share of the time spent waiting for data
  double left = 0.0;     ///< seconds until the end

  double fraction() const { return static_cast<double>(done) / static_cast<double>(total); }
};

/// "9 s", "3:07", "2:05:11".
std::string duration_text(double seconds);
/// "1234", "12.3k", "4.56M": three or four digits.
std::string count_text(double value);
/// " 42 % [#####-------] m3 b30  12.3k examples/s  5 % waiting for data  1:23 left", at most
/// `width` columns: narrow terminals lose first the bar, then the label.
std::string progress_bar(const ProgressState& state, int width);
/// The same without a bar, for files and pipes.
std::string progress_line(const ProgressState& state);

/// A bar that redraws itself on a terminal; elsewhere a plain line for every 10 % and at least
/// every half minute. A failing `out` ends nothing.
class Progress {
 public:
  Progress(const std::vector<Work>& works, std::FILE* out);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Goes on to works[i] and drops the rest of the previous work.
  void begin(std::size_t i, std::string label);
  void advance(std::int64_t done);
  /// Drops examples of the current work.
  void skip(std::int64_t done);
  /// Adds seconds of waiting for data.
  void stalled(double seconds) { stalled_ += seconds; }
  /// Prints a line above the bar.
  void note(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void show_if_due();
  void draw();

  ProgressState state_;
  TimeLeft time_left_;
  std::size_t current_ = 0;
  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;  // a bar stands on the current line
  double stalled_ = 0.0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point advanced_ = start_;
  Clock::time_point shown_ = start_;
  std::int64_t tenths_shown_ = 0;
};

}  // namespace cograd
