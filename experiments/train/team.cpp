#include "cograd/experiments/train/team.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "cograd/engine/error.h"
#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/train/diverged.h"

namespace cograd {
namespace {

enum class Fault : std::uint8_t { none, diverged, image, interrupted, other };

/// An error on its way to the other ranks.
struct Report {
  Fault fault = Fault::none;
  std::int64_t epoch = 0, step = 0;
  int signal = 0;
  std::array<char, 480> text{};
};

Report report_of(const std::exception_ptr& error) {
  Report report;
  const auto say = [&](Fault fault, const char* text) {
    report.fault = fault;
    std::strncpy(report.text.data(), text, report.text.size() - 1);
  };
  try {
    std::rethrow_exception(error);
  } catch (const Diverged& e) {
    say(Fault::diverged, e.what());
    report.epoch = e.epoch();
    report.step = e.step();
  } catch (const ImageError& e) {
    say(Fault::image, e.what());
  } catch (const Interrupted& e) {
    say(Fault::interrupted, e.what());
    report.signal = e.signal();
  } catch (const std::exception& e) {
    say(Fault::other, e.what());
  } catch (...) {
    say(Fault::other, "an unknown error");
  }
  return report;
}

[[noreturn]] void throw_as_reported(const Report& report) {
  const std::string text = report.text.data();
  switch (report.fault) {
    case Fault::diverged:
      throw Diverged(report.epoch, report.step, text);
    case Fault::image:
      throw ImageError(text);
    case Fault::interrupted:
      throw Interrupted(report.signal, text);
    default:
      throw SaidElsewhere(text);
  }
}

}  // namespace

Team::Team(Backend& backend) : Team(make_lone_communicator(backend), backend) {}

Team::Team(std::unique_ptr<Communicator> ranks, Backend& backend)
    : backend_(&backend), ranks_(std::move(ranks)) {}

bool Team::together(const std::function<void()>& part, bool wish) {
  if (size() == 1) {
    part();
    return wish;
  }
  std::exception_ptr error;
  try {
    part();
  } catch (...) {
    error = std::current_exception();
  }
  struct State {
    std::uint8_t failed = 0, wish = 0, unused[2] = {};
  };
  const State mine{static_cast<std::uint8_t>(error != nullptr), static_cast<std::uint8_t>(wish)};
  const std::vector<std::byte> states = gathered(std::as_bytes(std::span(&mine, 1)));
  bool led = false;
  int first = size();  // that failed
  for (int r = size() - 1; r >= 0; --r) {
    State state;
    std::memcpy(&state, states.data() + static_cast<std::size_t>(r) * sizeof state, sizeof state);
    if (r == 0) led = state.wish != 0;
    if (state.failed != 0) first = r;
  }
  if (first == size()) return led;
  Report report;
  if (rank() == first) report = report_of(error);
  const std::vector<std::byte> reports = gathered(std::as_bytes(std::span(&report, 1)));
  std::memcpy(&report, reports.data() + static_cast<std::size_t>(first) * sizeof report,
              sizeof report);
  if (report.fault == Fault::other) {
    ranks_->end_together();
    if (rank() == first) std::rethrow_exception(error);
  }
  throw_as_reported(report);
}

std::vector<std::byte> Team::gathered(std::span<const std::byte> mine) {
  // As f32, of which an exchange that computes nothing keeps the bits.
  std::vector<float> values((mine.size() + sizeof(float) - 1) / sizeof(float));
  std::memcpy(values.data(), mine.data(), mine.size());
  const std::int64_t n = std::ssize(values);
  const Tensor sent = Tensor::from(values, {n}, *backend_);
  Tensor received = Tensor::empty({size() * n}, Dtype::f32, *backend_);
  ranks_->all_gather(sent.data<float>(), received.data<float>(), n);
  const std::vector<float> all = received.to_vector<float>();
  std::vector<std::byte> bytes(mine.size() * static_cast<std::size_t>(size()));
  for (std::size_t r = 0; r < static_cast<std::size_t>(size()); ++r) {
    std::memcpy(bytes.data() + r * mine.size(), all.data() + r * values.size(), mine.size());
  }
  return bytes;
}

}  // namespace cograd
