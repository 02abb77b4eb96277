#include <vector>

struct Geometry {
  int height, width;    // of x
  int kernel;           // w is [kernel, kernel]
  int stride, padding;  // s and p

  int out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

using Array = std::vector<double>;

/// Calls visit(i, j, k) with the indices in y, w and x of each product w x that y is a sum of.
template <class Visit>
void for_each_product(const Geometry& g, const Visit& visit) {
  for (int i = 0; i < g.out_height(); ++i) {
    for (int j = 0; j < g.out_width(); ++j) {
      for (int u = 0; u < g.kernel; ++u) {
        for (int v = 0; v < g.kernel; ++v) {
          const int a = i * g.stride - g.padding + u, b = j * g.stride - g.padding + v;
          if (a < 0 || a >= g.height || b < 0 || b >= g.width) continue;
          visit(static_cast<std::size_t>(i * g.out_width() + j),
                static_cast<std::size_t>(u * g.kernel + v),
                static_cast<std::size_t>(a * g.width + b));
        }
      }
    }
  }
}

/// y [out_height, out_width]
Array convolution(const Array& x, const Array& w, const Geometry& g) {
  Array y(static_cast<std::size_t>(g.out_height() * g.out_width()), 0.0);
  for_each_product(g, [&](auto yi, auto wi, auto xi) { y[yi] += w[wi] * x[xi]; });
  return y;
}

/// dx [height, width] of dy [out_height, out_width]
Array input_gradient(const Array& dy, const Array& w, const Geometry& g) {
  Array dx(static_cast<std::size_t>(g.height * g.width), 0.0);
  for_each_product(g, [&](auto yi, auto wi, auto xi) { dx[xi] += dy[yi] * w[wi]; });
  return dx;
}

/// dw [kernel, kernel]
Array weight_gradient(const Array& x, const Array& dy, const Geometry& g) {
  Array dw(static_cast<std::size_t>(g.kernel * g.kernel), 0.0);
  for_each_product(g, [&](auto yi, auto wi, auto xi) { dw[wi] += dy[yi] * x[xi]; });
  return dw;
}
