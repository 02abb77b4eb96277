// The progress display of a study.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cograd/experiments/console/time_left.h"

namespace cograd {

/// State of a long loop, in units of work (examples).
struct ProgressState {
  std::string label;  ///< the current run, or how many there are
  std::int64_t done = 0;
  std::int64_t total = 1;
  double rate = 0.0;     ///< examples per second of the current runs; 0: unknown
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

/// What one run tells of its progress.
class Progress {
 public:
  virtual ~Progress() = default;
  /// Examples that are done.
  virtual void advance(std::int64_t done) = 0;
  /// Examples that are left out.
  virtual void skip(std::int64_t done) = 0;
  /// Seconds of waiting for data.
  virtual void stalled(double seconds) = 0;
  /// A line for the user.
  virtual void note(const std::string& text) = 0;
};

/// A bar over all works, of which several may be under way. It redraws itself on a terminal;
/// elsewhere it is a plain line for every 10 % and at least every half minute. A failing `out` ends
/// nothing.
class ProgressDisplay {
 public:
  ProgressDisplay(const std::vector<Work>& works, std::FILE* out);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void begin(std::size_t work, std::string label);
  void advance(std::size_t work, std::int64_t done);
  void skip(std::size_t work, std::int64_t done);
  /// Skips what is left of it.
  void end(std::size_t work);
  void stalled(double seconds) { stalled_ += seconds; }
  /// Prints a line above the bar.
  void note(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  struct Active {
    std::string label;
    Clock::time_point advanced;
  };
  void show_if_due();
  std::string label() const;
  void draw();

  ProgressState state_;
  TimeLeft time_left_;
  std::map<std::size_t, Active> active_;
  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;  // a bar stands on the current line
  double stalled_ = 0.0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point now_ = start_;
  Clock::time_point shown_ = start_;
  std::int64_t tenths_shown_ = 0;
};

/// A work of a display, from construction to destruction.
class RunProgress final : public Progress {
 public:
  RunProgress(ProgressDisplay& display, std::size_t work, std::string label)
      : display_(display), work_(work) {
    display_.begin(work_, std::move(label));
  }
  ~RunProgress() override { display_.end(work_); }
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  void advance(std::int64_t done) override { display_.advance(work_, done); }
  void skip(std::int64_t done) override { display_.skip(work_, done); }
  void stalled(double seconds) override { display_.stalled(seconds); }
  void note(const std::string& text) override { display_.note(text); }

 private:
  ProgressDisplay& display_;
  std::size_t work_;
};

}  // namespace cograd
