// Three ranks aggregate six numbers: each takes the median of its third.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "cograd/experiments/report/page/drawing.h"
#include "docs/course/drawings/draw.h"
#include "tests/support/ranks_in_threads.h"

namespace course {
namespace {

using namespace cograd;

constexpr int kRanks = 3, kValues = 6, kShard = kValues / kRanks;
constexpr double kCellWidth = 48, kCellHeight = 28;

const std::array<std::vector<float>, kRanks> kGradients{{{0.2f, -0.5f, 0.1f, 0.9f, 0.3f, -0.2f},
                                                         {0.4f, -0.4f, 0.2f, 0.8f, -0.6f, 0.1f},
                                                         {-0.7f, 0.6f, 0.3f, 1.0f, 0.5f, 0.0f}}};

/// A rank's part in the exchange, as a communicator saw it.
struct Seen {
  std::vector<float> received, reduced, result;
};

/// Passes calls on and keeps what they moved.
class Witness final : public Communicator {
 public:
  Witness(Communicator& real, Seen& seen) : real_(&real), seen_(&seen) {}

  int rank() const override { return real_->rank(); }
  int size() const override { return real_->size(); }
  std::unique_ptr<Communicator> split(int part) const override { return real_->split(part); }

 private:
  void do_average(float* values, std::int64_t n) override { real_->average(values, n); }
  void do_all_to_all(const float* sent, float* received, std::int64_t n) override {
    real_->all_to_all(sent, received, n);
    seen_->received.assign(received, received + n * size());
  }
  void do_all_gather(const float* sent, float* received, std::int64_t n) override {
    seen_->reduced.assign(sent, sent + n);
    real_->all_gather(sent, received, n);
  }
  void do_broadcast(float* values, std::int64_t n) override { real_->broadcast(values, n); }

  Communicator* real_;
  Seen* seen_;
};

std::array<Seen, kRanks> seen_by_ranks() {
  std::array<Seen, kRanks> seen;
  run_ranks(kRanks, [&seen](Communicator& communicator) {
    const auto r = static_cast<std::size_t>(communicator.rank());
    Witness witness(communicator, seen[r]);
    seen[r].result = ::aggregate(MedianOfMeans(kRanks), witness, kGradients[r]).to_vector<float>();
  });
  return seen;
}

void row(Drawing& drawing, Point at, const std::vector<float>& values, std::size_t first,
         std::size_t count, const std::string& style) {
  for (std::size_t i = 0; i < count; ++i) {
    const double x = at.x + kCellWidth * static_cast<double>(i);
    drawing.box({x, at.y}, kCellWidth - 4, kCellHeight - 4, style);
    drawing.text({x + kCellWidth - 12, at.y + 17}, fmt::format("{:.1f}", values[first + i]),
                 "end number " + style);
  }
}

}  // namespace

std::string draw_sharded_median() {
  const std::array<Seen, kRanks> seen = seen_by_ranks();
  Drawing drawing(980, 560);
  drawing.text({20, 28}, "A median over three ranks moves no more bytes than a mean", "title");
  drawing.text({20, 48}, "6 values, 3 shards of 2; a colour is the rank that a value comes from",
               "quiet");
  constexpr double kLeft = 20, kStep = 320;
  const auto style = [](int r) { return fmt::format("g{}", r); };
  for (int r = 0; r < kRanks; ++r) {
    const Seen& rank = seen[static_cast<std::size_t>(r)];
    const double x = kLeft + kStep * r;
    drawing.text({x, 84}, fmt::format("rank {}: its own gradient", r), "op");
    row(drawing, {x, 94}, kGradients[static_cast<std::size_t>(r)], 0, kValues, style(r));
    for (int to = 0; to < kRanks; ++to) {  // all-to-all
      const double target = kLeft + kStep * to + kCellWidth;
      drawing.arrow({x + kCellWidth * (2 * to + 1), 120}, {target + 8.0 * (r - 1), 192}, style(r));
    }
    drawing.text({x, 214}, fmt::format("all-to-all: shard {} of all", r), "op");
    for (int from = 0; from < kRanks; ++from) {
      row(drawing, {x, 224 + kCellHeight * from}, rank.received,
          static_cast<std::size_t>(from) * kShard, kShard, style(from));
    }
    drawing.arrow({x + kCellWidth, 312}, {x + kCellWidth, 346});
    drawing.text({x + kCellWidth + 14, 334}, "median", "");
    row(drawing, {x, 352}, rank.reduced, 0, kShard, "weight");
    for (int to = 0; to < kRanks; ++to) {  // all-gather
      drawing.arrow({x + kCellWidth, 380}, {kLeft + kStep * to + kCellWidth * (2 * r + 1), 462},
                    "dashed");
    }
    row(drawing, {x, 468}, rank.result, 0, kValues, "weight");
    drawing.text({x, 516}, "all-gather: the same median on every rank", "small quiet");
  }
  drawing.text({kLeft, 544},
               "Each rank sends 2 shards of 2 values in either exchange: 8 values, as many as a "
               "ring all-reduce of 6.",
               "small quiet");
  return drawing.svg(
      "The sharded median",
      "Each of three ranks receives its shard of all gradients, takes the median, and "
      "hands it to all");
}

}  // namespace course
