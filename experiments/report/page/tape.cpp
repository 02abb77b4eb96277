#include "cograd/experiments/report/page/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <vector>

#include "cograd/engine/error.h"
#include "cograd/engine/node.h"
#include "cograd/experiments/report/page/drawing.h"

namespace cograd {
namespace {

constexpr double kMargin = 20, kTop = 64, kWidth = 330, kBetween = 46, kGap = 26, kLine = 17;

/// Where a node's box lies.
struct Place {
  int row = 0, column = -1;
  int order = 0;  // in the backward pass, from 1
};

/// The nodes in rows, each below its inputs, and in columns: a chain of first inputs keeps to one.
class TapeLayout {
 public:
  explicit TapeLayout(const Node& loss) {
    collect(loss);
    std::sort(nodes_.begin(), nodes_.end(),
              [](const Node* a, const Node* b) { return a->number < b->number; });
    int order = static_cast<int>(nodes_.size());
    for (const Node* node : nodes_) {
      Place& place = places_[node];
      place.order = order--;
      for (const auto& input : node->inputs) {
        if (input != nullptr) place.row = std::max(place.row, places_[input.get()].row + 1);
      }
      const double needed = 2 * kLine + 9 + kLine * static_cast<double>(node->parameters.size());
      double& height = heights_[place.row];
      height = std::max(height, needed);
    }
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) put_chain(*node);
    double y = kTop;
    for (const auto& [row, height] : heights_) {
      tops_.push_back(y);
      y += height + kGap;
    }
    bottom_ = y;
  }

  const std::vector<const Node*>& nodes() const { return nodes_; }
  const Place& place(const Node* node) const { return places_.at(node); }
  Point at(const Node* node) const {
    const Place& place = places_.at(node);
    return {kMargin + place.column * (kWidth + kBetween),
            tops_[static_cast<std::size_t>(place.row)]};
  }
  double height(const Node* node) const { return heights_.at(places_.at(node).row); }
  double bottom() const { return bottom_; }
  /// With room for the edges right of the last column, and for the title.
  double width() const { return std::max(460.0, kMargin + columns_ * (kWidth + kBetween)); }
  bool is_taken(int row, int column) const { return taken_.contains({row, column}); }

 private:
  void collect(const Node& loss) {
    std::vector<const Node*> left{&loss};
    while (!left.empty()) {
      const Node* node = left.back();
      left.pop_back();
      if (!places_.try_emplace(node).second) continue;
      nodes_.push_back(node);
      for (const auto& input : node->inputs) {
        if (input != nullptr) left.push_back(input.get());
      }
    }
  }
  /// Puts `node` and the first inputs above it that have no place yet into the first free column.
  void put_chain(const Node* node) {
    std::vector<const Node*> chain;
    while (node != nullptr && places_[node].column < 0) {
      chain.push_back(node);
      node = node->inputs.empty() ? nullptr : node->inputs.front().get();
    }
    if (chain.empty()) return;
    const int last = places_[chain.front()].row, first = places_[chain.back()].row;
    int column = 0;
    const auto is_free = [&] {
      for (int row = first; row <= last; ++row) {
        if (is_taken(row, column)) return false;
      }
      return true;
    };
    while (!is_free()) ++column;
    for (const Node* member : chain) places_[member].column = column;
    for (int row = first; row <= last; ++row) taken_[{row, column}] = true;
    columns_ = std::max(columns_, column + 1);
  }

  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, Place> places_;
  std::map<int, double> heights_;
  std::map<std::pair<int, int>, bool> taken_;
  std::vector<double> tops_;
  int columns_ = 0;
  double bottom_ = 0;
};

void draw_box(Drawing& drawing, const TapeLayout& layout, const Node* node, std::int64_t groups) {
  const auto [x, y] = layout.at(node);
  drawing.box({x, y}, kWidth, layout.height(node), node->parameters.empty() ? "" : "weight");
  drawing.text({x + 10, y + 18}, std::string(node->op), "op");
  drawing.text({x + kWidth - 10, y + 18}, node->shape.str(), "end number");
  double line = y + 18 + kLine;
  for (const Parameter* p : node->parameters) {
    drawing.text({x + 10, line}, fmt::format("{} {}", p->name, p->value.shape()), "small");
    line += kLine;
  }
  drawing.text({x + 10, line},
               fmt::format("step {} of the backward pass", layout.place(node).order),
               "small quiet");
  if (groups > 1 && !node->parameters.empty()) {
    drawing.text({x + kWidth - 10, line}, fmt::format("{} gradients each", groups),
                 "small end quiet");
  }
}

/// From the input's box down to the node's; beside the boxes where it passes some.
void draw_edge(Drawing& drawing, const TapeLayout& layout, const Node* input, const Node* node) {
  const Place& from = layout.place(input);
  const Place& to = layout.place(node);
  const Point start = layout.at(input), end = layout.at(node);
  const double out_y = start.y + layout.height(input);
  if (from.column == to.column && to.row == from.row + 1) {
    return drawing.arrow({start.x + kWidth / 2, out_y}, {start.x + kWidth / 2, end.y});
  }
  if (from.column == to.column) {  // past what lies between
    const double side = start.x + kWidth;
    return drawing.arrow(
        fmt::format("M {0:.1f} {1:.1f} C {2:.1f} {1:.1f} {2:.1f} {1:.1f} {2:.1f} "
                    "{3:.1f} V {4:.1f} C {2:.1f} {5:.1f} {2:.1f} {5:.1f} {0:.1f} {5:.1f}",
                    side, start.y + layout.height(input) / 2, side + kBetween / 2,
                    start.y + layout.height(input) / 2 + 16, end.y + 2, end.y + 18));
  }
  const double x0 = start.x + kWidth / 2 + (from.column < to.column ? 60 : -60);
  const double x1 = end.x + kWidth / 2 + (from.column < to.column ? 0 : 90);
  const bool above = from.column < to.column;  // turn at the start, or at the end
  const double turn = above ? out_y + kGap / 2 : end.y - kGap / 2;
  drawing.arrow(
      fmt::format("M {:.1f} {:.1f} V {:.1f} H {:.1f} V {:.1f}", x0, out_y, turn, x1, end.y));
}

}  // namespace

std::string draw_tape(const Variable& loss, const std::string& title) {
  require<ValueError>(loss.requires_gradient(),
                      "[tape] the loss depends on no parameter and no leaf");
  require<ValueError>(!loss.node()->consumed,
                      "[tape] expected a tape, but backward() has consumed it: draw it before");
  const TapeLayout layout(*loss.node());
  Drawing drawing(layout.width(), layout.bottom());
  const Groups& groups = loss.groups();
  drawing.text({kMargin, 26}, title, "title");
  drawing.text({kMargin, 46},
               fmt::format("a batch of {} in {} group{}; forward runs down, backward up",
                           groups.batch(), groups.count(), groups.count() == 1 ? "" : "s"),
               "quiet");
  for (const Node* node : layout.nodes()) {
    for (const auto& input : node->inputs) {
      if (input != nullptr) draw_edge(drawing, layout, input.get(), node);
    }
  }
  for (const Node* node : layout.nodes()) draw_box(drawing, layout, node, groups.count());
  return drawing.svg(
      title, fmt::format("The {} ops that the backward pass goes through", layout.nodes().size()));
}

}  // namespace cograd
