// The allocator's own numbers while the nodes of a backward pass run.
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/node.h"
#include "cograd/engine/ops/ops.h"
#include "cograd/experiments/report/page/drawing.h"
#include "cograd/models/registry.h"
#include "docs/course/drawings/draw.h"

namespace course {
namespace {

using namespace cograd;

constexpr std::int64_t kBatch = 6;

/// Bytes beyond parameters and batch, for each node of the backward pass.
struct Course {
  const char* name;
  std::vector<double> peak;  // while it ran
  double left = 0.0;         // after the pass: gradients
};

/// Has every node of the tape note the most memory that there was while it ran.
void watch(const Variable& loss, Allocator& allocator, double before, std::vector<double>& peak) {
  std::vector<Node*> nodes{loss.node().get()};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const auto& input : nodes[i]->inputs) {
      if (input != nullptr && std::find(nodes.begin(), nodes.end(), input.get()) == nodes.end()) {
        nodes.push_back(input.get());
      }
    }
  }
  for (Node* node : nodes) {
    node->backward = [inner = std::move(node->backward), &allocator, before, &peak](
                         const Tensor& dy, Backward& pass) {
      allocator.reset_peak();
      inner(dy, pass);
      peak.push_back(static_cast<double>(allocator.stats().peak) - before);
    };
  }
}

Course measure(const char* name, const Aggregator& aggregator, bool stored) {
  Backend& backend = reference_backend();
  Allocator& allocator = backend.allocator();
  const auto model = make_model("resnet18_cifar", {.image = {3, 16, 16}, .width = 16, .seed = 1});
  const std::vector<Parameter*> parameters = model->parameters();
  const Tensor images = Tensor::full({kBatch, 3, 16, 16}, 0.5, Dtype::f32, backend);
  const Tensor labels = Tensor::zeros({kBatch}, Dtype::i64, backend);
  const auto before = static_cast<double>(allocator.stats().in_use);

  Course course{name, {}, 0.0};
  Variable loss =
      cross_entropy((*model)(Variable(images, Groups(kBatch, aggregator.groups(kBatch)))), labels);
  watch(loss, allocator, before, course.peak);
  if (stored) {  // as for micro-batches: all K gradients of all parameters, until finish()
    Backward pass(aggregator);
    pass.run(loss);
    allocator.reset_peak();
    pass.finish();
    course.peak.push_back(static_cast<double>(allocator.stats().peak) - before);
  } else {
    backward(loss, aggregator);
    course.peak.push_back(static_cast<double>(allocator.stats().in_use) - before);
  }
  loss = Variable();
  course.left = static_cast<double>(allocator.stats().in_use) - before;
  return course;
}

}  // namespace

std::string draw_memory() {
  const std::vector<Course> courses{measure("mean", Mean(), false),
                                    measure("m3", MedianOfMeans(3), false),
                                    measure("m3, all gradients stored", MedianOfMeans(3), true)};
  double most = 0.0;
  for (const Course& c : courses)
    most = std::max(most, *std::max_element(c.peak.begin(), c.peak.end()));
  const double top = std::max(1.0, std::ceil(most / 1e6));

  constexpr double kLeft = 60, kRight = 640, kTop = 70, kBottom = 370;
  Drawing drawing(930, 430);
  drawing.text({20, 28}, "Memory over a backward pass", "title");
  drawing.text({20, 48},
               "resnet18_cifar of width 16, 6 images of 16 x 16; megabytes beyond weights and "
               "batch, most while a node ran",
               "quiet");
  const auto y = [&](double bytes) { return kBottom - (kBottom - kTop) * bytes / (top * 1e6); };
  const double step = top > 8 ? 2 : 1;
  for (double mb = 0; mb <= top; mb += step) {
    drawing.line({kLeft, y(mb * 1e6)}, {kRight, y(mb * 1e6)}, "grid");
    drawing.text({kLeft - 8, y(mb * 1e6) + 4}, fmt::format("{:.0f}", mb), "end small quiet");
  }
  double label = 0.0;
  for (std::size_t i = 0; i < courses.size(); ++i) {
    const Course& course = courses[i];
    const auto n = static_cast<double>(course.peak.size());
    std::string points;
    for (std::size_t j = 0; j < course.peak.size(); ++j) {
      const double x = kLeft + (kRight - kLeft) * static_cast<double>(j) / (n - 1);
      points += fmt::format("{:.1f},{:.1f} ", x, y(course.peak[j]));
    }
    drawing.curve(points, fmt::format("g{}", i));
    const double high = *std::max_element(course.peak.begin(), course.peak.end());
    label = std::max(y(course.peak.back()) + 4, label + 40);
    label = i == 0 ? y(course.peak.back()) - 20 : label;
    drawing.text({kRight + 10, label}, course.name, fmt::format("op g{}", i));
    drawing.text({kRight + 10, label + 16},
                 fmt::format("most {:.2f} MB, at the end {:.2f} MB", high / 1e6, course.left / 1e6),
                 "small quiet");
  }
  drawing.text({kLeft, kBottom + 24}, "loss", "small quiet");
  drawing.text({kRight, kBottom + 24}, "first convolution", "small end quiet");
  drawing.text({(kLeft + kRight) / 2, kBottom + 44}, "nodes in the order of the backward pass",
               "middle");
  return drawing.svg("Memory over a backward pass",
                     "The mean and M3 fall as activations are released; stored gradients rise");
}

}  // namespace course
