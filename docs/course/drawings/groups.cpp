// Six examples in three groups, one of whose labels is false: the median takes the other side.
#include <array>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/report/page/drawing.h"
#include "cograd/optim/sgd.h"
#include "docs/course/drawings/draw.h"

namespace course {
namespace {

using namespace cograd;

constexpr int kExamples = 6, kFeatures = 3, kClasses = 2, kGroups = 3;
constexpr double kRate = 0.5;
constexpr double kCellWidth = 58, kCellHeight = 26;

/// What one step of M3 computes.
struct Step {
  std::vector<float> x{1.0f,  0.2f, 0.0f, 0.9f, -0.1f, 0.3f, -1.0f, 0.4f,  0.1f,
                       -0.8f, 0.0f, 0.2f, 1.1f, 0.1f,  0.9f, 1.0f,  -0.3f, 0.8f};
  std::vector<std::int64_t> labels{0, 0, 1, 1, 1, 0};  // the fifth is false
  std::vector<float> before, gradients, median, after;
};

Step step_of_m3() {
  Step s;
  Backend& backend = reference_backend();
  Parameter w{"w",
              Tensor::from(std::vector<float>{0.1f, 0.0f, -0.1f, -0.1f, 0.1f, 0.0f},
                           {kClasses, kFeatures}, backend),
              {},
              {}};
  s.before = w.value.to_vector<float>();
  const MedianOfMeans m3(kGroups);
  const Variable x(Tensor::from(s.x, {kExamples, kFeatures}, backend), Groups(kExamples, kGroups));
  const Tensor labels = Tensor::from(s.labels, {kExamples}, backend);
  BackwardOptions options;
  options.observe = [&s](const Parameter&, const Tensor& groups) {
    s.gradients = groups.to_vector<float>();
  };
  backward(cross_entropy(linear(x, w, nullptr), labels), m3, options);
  s.median = w.gradient.to_vector<float>();
  Sgd sgd({&w}, m3, {.learning_rate = kRate});
  sgd.step();
  s.after = w.value.to_vector<float>();
  return s;
}

/// Numbers in cells, `columns` a row; `style` says each one's.
template <class Style>
void table(Drawing& drawing, Point at, const float* values, int rows, int columns,
           const Style& style) {
  for (int i = 0; i < rows * columns; ++i) {
    const Point cell{at.x + kCellWidth * (i % columns), at.y + kCellHeight * (i / columns)};
    const std::string cell_style = style(i);
    drawing.box(cell, kCellWidth - 4, kCellHeight - 4, cell_style);
    drawing.text({cell.x + kCellWidth - 12, cell.y + 16}, fmt::format("{:.2f}", values[i]),
                 "end number " + cell_style);
  }
}

std::string group_style(int g) { return fmt::format("g{}", g); }

/// The group whose gradient the median has at coordinate i.
int source_of(const Step& s, int i) {
  for (int g = 0; g < kGroups; ++g) {
    if (s.gradients[static_cast<std::size_t>(g * kClasses * kFeatures + i)] ==
        s.median[static_cast<std::size_t>(i)]) {
      return g;
    }
  }
  return 0;
}

void draw_batch(Drawing& drawing, const Step& s, double x) {
  drawing.text({x, 80}, "batch: x [6, 3] and labels", "op");
  for (int n = 0; n < kExamples; ++n) {
    const double y = 100 + n / 2 * 110 + n % 2 * kCellHeight;
    const std::string style = group_style(n / 2);
    table(drawing, {x, y}, s.x.data() + n * kFeatures, 1, kFeatures, [&](int) { return style; });
    const bool is_false = n == 4;
    drawing.text(
        {x + 3 * kCellWidth + 8, y + 16},
        fmt::format("{}{}", s.labels[static_cast<std::size_t>(n)], is_false ? " (false)" : ""),
        is_false ? "op g2" : "");
  }
}

}  // namespace

std::string draw_groups() {
  const Step s = step_of_m3();
  Drawing drawing(1040, 430);
  drawing.text({20, 28}, "One step of M3: the median of three groups' gradients", "title");
  drawing.text({20, 48},
               "A linear layer with 3 inputs and 2 outputs, softmax cross-entropy; the numbers are "
               "the engine's",
               "quiet");
  draw_batch(drawing, s, 20);

  constexpr double kGradients = 360, kMedian = 640, kUpdate = 845;
  drawing.text({kGradients, 80}, "backward: 3 gradients of w [2, 3]", "op");
  for (int g = 0; g < kGroups; ++g) {
    const double y = 100 + g * 110;
    drawing.arrow({290, y + 25}, {kGradients - 8, y + 25}, group_style(g));
    table(drawing, {kGradients, y}, s.gradients.data() + g * kClasses * kFeatures, kClasses,
          kFeatures, [&](int) { return group_style(g); });
    drawing.text({kGradients, y + 68}, fmt::format("group {}: mean loss over its 2 rows", g),
                 "small quiet");
    drawing.arrow({kGradients + 3 * kCellWidth + 4, y + 25}, {kMedian - 10, 230.0 + (g - 1) * 14},
                  group_style(g));
  }

  drawing.text({kMedian, 80}, "median, by coordinate", "op");
  table(drawing, {kMedian, 205}, s.median.data(), kClasses, kFeatures,
        [&](int i) { return group_style(source_of(s, i)); });
  drawing.text({kMedian, 275}, "in the colour of the group", "small quiet");
  drawing.text({kMedian, 291}, "whose value it is", "small quiet");

  drawing.text({kUpdate, 80}, fmt::format("update: w - {} median", kRate), "op");
  table(drawing, {kUpdate, 125}, s.before.data(), kClasses, kFeatures,
        [](int) { return std::string("weight"); });
  drawing.text({kUpdate, 118}, "w before", "small quiet");
  drawing.arrow({kUpdate + 85, 180}, {kUpdate + 85, 280});
  drawing.arrow({kMedian + 3 * kCellWidth, 230}, {kUpdate + 78, 230});
  table(drawing, {kUpdate, 290}, s.after.data(), kClasses, kFeatures,
        [](int) { return std::string("weight"); });
  drawing.text({kUpdate, 360}, "w after", "small quiet");
  return drawing.svg(
      "One step of M3",
      "Six examples in three groups give three gradients; their median by coordinate "
      "updates the weight");
}

}  // namespace course
