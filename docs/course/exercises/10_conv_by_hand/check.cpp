#include "docs/course/exercises/check.h"

#include "cograd/engine/aggregation/aggregator.h"
#include "cograd/engine/gradient_check.h"
#include "cograd/engine/ops/ops.h"
#include COURSE_STUDENT

namespace {

using namespace cograd;

Array numbers(int count, double step) {
  Array values;
  for (int i = 0; i < count; ++i) values.push_back(std::sin(step * i + 0.3));
  return values;
}

Tensor image(const Array& values, int height, int width) {
  return Tensor::from(values, {1, 1, height, width}, reference_backend());
}

void against_engine(course::Check& check, const Geometry& g) {
  const Array x = numbers(g.height * g.width, 1.1), w = numbers(g.kernel * g.kernel, 0.7);
  const Array dy = numbers(g.out_height() * g.out_width(), 0.4);
  Parameter weight{"w", image(w, g.kernel, g.kernel), {}, {}};
  const Variable input = Variable::leaf(image(x, g.height, g.width));
  const Variable y = conv2d(input, weight, nullptr,
                            {.stride = {g.stride, g.stride}, .padding = {g.padding, g.padding}});
  backward(projected_loss(y, image(dy, g.out_height(), g.out_width())), Mean());
  const auto what = fmt::format("{} x {}, kernel {}, stride {}, padding {}", g.height, g.width,
                                g.kernel, g.stride, g.padding);
  check.all_near(what + ": y", convolution(x, w, g), y.value().to_vector<double>(), 1e-9);
  check.all_near(what + ": dx", input_gradient(dy, w, g), input.gradient().to_vector<double>(),
                 1e-9);
  check.all_near(what + ": dw", weight_gradient(x, dy, g), weight.gradient.to_vector<double>(),
                 1e-9);
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    check.all_near("the image 1 2 / 3 4 with the kernel 1 10 / 100 1000",
                   convolution({1, 2, 3, 4}, {1, 10, 100, 1000}, {2, 2, 2, 1, 0}), Array{4321});
    check.all_near("the same with a padding of 1, stride 2",
                   convolution({1, 2, 3, 4}, {1, 10, 100, 1000}, {2, 2, 2, 2, 1}),
                   Array{1000, 200, 30, 4});
    against_engine(check, {5, 6, 3, 1, 0});
    against_engine(check, {5, 6, 3, 1, 1});
    against_engine(check, {7, 6, 3, 2, 1});
    against_engine(check, {8, 5, 5, 2, 2});
  });
}
