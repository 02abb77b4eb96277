#include "cograd/experiments/report/page/tape.h"

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/xml.h"

namespace cograd {
namespace {

Tensor ones(const Shape& shape) {
  return Tensor::full(shape, 1.0, Dtype::f32, reference_backend());
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST_CASE("A drawn tape has a box for each node and an arrow for each input", "[tape]") {
  Parameter w{"w<1>", ones({2, 3}), {}, {}}, v{"v", ones({2, 3}), {}, {}};
  const Variable x(ones({6, 3}), Groups(6, 3));
  const Tensor labels = Tensor::zeros({6}, Dtype::i64, reference_backend());
  const Variable a = linear(x, w, nullptr);
  const Variable loss = cross_entropy(add(a, relu(linear(x, v, nullptr))), labels);
  const std::string svg = draw_tape(loss, "title");
  CHECK(testing::xml_fault(svg).empty());
  CHECK(count_of(svg, "<rect") == 5);
  CHECK(count_of(svg, "marker-end") == 4);
  CHECK(count_of(svg, "3 gradients each") == 2);
  CHECK(svg.find("w&lt;1&gt; [2, 3]") != std::string::npos);
  CHECK(svg.find("step 1 of the backward pass") != std::string::npos);
  backward(loss, MedianOfMeans(3));  // a drawing consumes nothing
  CHECK_THROWS_WITH(draw_tape(loss, "title"), testing::contains("has consumed it"));
}

TEST_CASE("A loss that depends on nothing has no tape", "[tape]") {
  CHECK_THROWS_AS(draw_tape(Variable(ones({1})), "title"), ValueError);
}

}  // namespace
}  // namespace cograd
