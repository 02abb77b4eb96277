#include <vector>

struct Geometry {
  int height, width;    // of x
  int kernel;           // w is [kernel, kernel]
  int stride, padding;  // s and p

  int out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

using Array = std::vector<double>;

/// y [out_height, out_width]
Array convolution(const Array& x, const Array& w, const Geometry& g) {
  Array y(static_cast<std::size_t>(g.out_height() * g.out_width()), 0.0);
  return y;  // yours
}

/// dx [height, width] of dy [out_height, out_width]
Array input_gradient(const Array& dy, const Array& w, const Geometry& g) {
  Array dx(static_cast<std::size_t>(g.height * g.width), 0.0);
  return dx;  // yours
}

/// dw [kernel, kernel]
Array weight_gradient(const Array& x, const Array& dy, const Geometry& g) {
  Array dw(static_cast<std::size_t>(g.kernel * g.kernel), 0.0);
  return dw;  // yours
}
