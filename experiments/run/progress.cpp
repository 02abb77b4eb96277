// The progress display: one bar on a terminal, plain lines elsewhere.
#include "experiments/run/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "experiments/run/terminal.h"

namespace cograd {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(30);
constexpr int kWidestBar = 40;
constexpr int kNarrowestBar = 8;

std::string rate_and_time(const ProgressState& state) {
  if (state.done <= 0 || state.rate() <= 0.0) return "";
  const double left = static_cast<double>(state.total - state.done) / state.rate();
  const double waiting = std::floor(100.0 * state.stalled / state.seconds);
  return fmt::format("  {} examples/s{}  {} left", count_text(state.rate()),
                     waiting >= 1.0 ? fmt::format("  {:.0f} % waiting for data", waiting) : "",
                     duration_text(left));
}

std::string percent(const ProgressState& state) {
  return fmt::format("{:3.0f} %", std::floor(100.0 * state.fraction()));
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string count_text(double value) {
  if (value < 1e4) return fmt::format("{:.0f}", value);
  return value < 1e6 ? fmt::format("{:.1f}k", value * 1e-3) : fmt::format("{:.2f}M", value * 1e-6);
}

std::string progress_bar(const ProgressState& state, int width) {
  const std::string head = percent(state);
  const std::string tail = rate_and_time(state);
  const auto columns = static_cast<std::size_t>(std::max(width, 0));
  std::string label = " " + state.label;
  if (head.size() + label.size() + tail.size() > columns) label.clear();
  const std::size_t used = head.size() + label.size() + tail.size() + 3;  // 3: " [" and "]"
  std::string bar;
  if (columns >= used + kNarrowestBar) {
    const std::size_t length = std::min<std::size_t>(columns - used, kWidestBar);
    const auto filled = static_cast<std::size_t>(state.fraction() * static_cast<double>(length));
    bar = " [" + std::string(filled, '#') + std::string(length - filled, '-') + "]";
  }
  return (head + bar + label + tail).substr(0, columns);
}

std::string progress_line(const ProgressState& state) {
  return percent(state) + " " + state.label + rate_and_time(state);
}

Progress::Progress(std::int64_t total, std::FILE* out)
    : out_(out), terminal_(isatty(fileno(out)) == 1) {
  state_.total = std::max<std::int64_t>(total, 1);
}

Progress::~Progress() {
  if (drawn_) std::fputs("\n", out_);
}

void Progress::advance(std::int64_t done) {
  state_.done = std::min(state_.done + done, state_.total);
  const Clock::time_point now = Clock::now();
  const std::int64_t tenths = 10 * state_.done / state_.total;
  const bool due = terminal_ ? now - shown_ >= kRedrawEvery || state_.done == state_.total
                             : now - shown_ >= kLineEvery || tenths > tenths_shown_;
  if (!due) return;
  state_.seconds = std::chrono::duration<double>(now - start_).count();
  shown_ = now;
  tenths_shown_ = tenths;
  show();
}

void Progress::skip(std::int64_t done) {
  state_.done = std::min(state_.done + done, state_.total);
  state_.skipped += done;
  tenths_shown_ = 10 * state_.done / state_.total;
}

void Progress::stalled(double seconds) { state_.stalled += seconds; }

void Progress::note(const std::string& text) {
  fmt::print(out_, "{}{}\n", drawn_ ? "\r\x1b[K" : "", text);
  drawn_ = false;
  if (terminal_) show();
  std::fflush(out_);
}

void Progress::show() {
  if (terminal_) {
    // One column stays free: a full last column would wrap on some terminals.
    fmt::print(out_, "\r{}\x1b[K", progress_bar(state_, terminal_width(out_) - 1));
    drawn_ = true;
  } else {
    fmt::print(out_, "{}\n", progress_line(state_));
  }
  std::fflush(out_);
}

}  // namespace cograd
