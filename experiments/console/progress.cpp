#include "cograd/experiments/console/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cograd/engine/text.h"
#include "cograd/experiments/console/terminal.h"

namespace cograd {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(30);
constexpr int kWidestBar = 40;
constexpr int kNarrowestBar = 8;

std::string rate_and_time(const ProgressState& state) {
  if (state.rate <= 0.0) return "";
  const double waiting = std::floor(100.0 * state.waiting);
  return fmt::format("  {} examples/s{}  {} left", count_text(state.rate),
                     waiting >= 1.0 ? fmt::format("  {:.0f} % waiting for data", waiting) : "",
                     duration_text(state.left));
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

ProgressDisplay::ProgressDisplay(const std::vector<Work>& works, std::FILE* out)
    : time_left_(works), out_(out), terminal_(isatty(fileno(out)) == 1) {
  state_.total = 0;
  for (const Work& work : works) state_.total += work.examples;
  state_.total = std::max<std::int64_t>(state_.total, 1);
}

ProgressDisplay::~ProgressDisplay() {
  if (drawn_) show(out_, "\n");
}

void ProgressDisplay::begin(std::size_t work, std::string label) {
  active_[work] = {std::move(label), Clock::now()};
}

void ProgressDisplay::advance(std::size_t work, std::int64_t done) {
  now_ = Clock::now();
  Active& active = active_[work];
  time_left_.spent(work, done, std::chrono::duration<double>(now_ - active.advanced).count());
  active.advanced = now_;
  state_.done = std::min(state_.done + done, state_.total);
  show_if_due();
}

void ProgressDisplay::skip(std::size_t work, std::int64_t done) {
  time_left_.dropped(work, done);
  state_.done = std::min(state_.done + done, state_.total);
  tenths_shown_ = std::max(tenths_shown_, 10 * state_.done / state_.total);
}

void ProgressDisplay::end(std::size_t work) {
  if (const std::int64_t left = time_left_.left(work); left > 0) skip(work, left);
  active_.erase(work);
}

void ProgressDisplay::show_if_due() {
  const std::int64_t tenths = 10 * state_.done / state_.total;
  const bool due = terminal_ ? now_ - shown_ >= kRedrawEvery || state_.done == state_.total
                             : now_ - shown_ >= kLineEvery || tenths > tenths_shown_;
  if (!due) return;
  const auto at_once = static_cast<double>(active_.size());
  state_.rate = 0.0;
  for (const auto& [work, active] : active_) state_.rate += time_left_.rate(work);
  state_.left = time_left_.seconds() / at_once;
  const double seconds = std::chrono::duration<double>(now_ - start_).count();
  state_.waiting = seconds > 0.0 ? stalled_ / (seconds * at_once) : 0.0;
  state_.label = label();
  shown_ = now_;
  tenths_shown_ = tenths;
  draw();
}

std::string ProgressDisplay::label() const {
  const std::string& first = active_.begin()->second.label;
  return active_.size() == 1 ? first : fmt::format("{} at once: {}", active_.size(), first);
}

void ProgressDisplay::note(const std::string& text) {
  show(out_, fmt::format("{}{}\n", drawn_ ? "\r\x1b[K" : "", printable(text)));
  drawn_ = false;
  if (terminal_) draw();
}

void ProgressDisplay::draw() {
  if (terminal_) {
    // One column stays free: a full last column would wrap on some terminals.
    show(out_, fmt::format("\r{}\x1b[K", progress_bar(state_, terminal_width(out_) - 1)));
    drawn_ = true;
  } else {
    show(out_, progress_line(state_) + "\n");
  }
}

}  // namespace cograd
