#include "engine/simd/product.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <vector>

#include "engine/simd/kernels.h"

namespace cograd::simd {
namespace {

/// A panel of columns of a product, or some rows of one.
struct Task {
  Product product;
  std::int64_t panel;
};

/// Rows [begin, end) of p.
Product rows_of(Product p, std::int64_t begin, std::int64_t end) {
  p.a.data += begin * p.a.row;
  p.c += begin * p.c_row;
  p.m = end - begin;
  return p;
}

std::int64_t threads_for(double multiplications) {
#ifdef _OPENMP
  constexpr double kWorthThreads = 2e5;
  if (multiplications > kWorthThreads) return omp_get_max_threads();
#else
  static_cast<void>(multiplications);
#endif
  return 1;
}

}  // namespace

void multiply(std::span<const Product> products) {
  const ProductKernel& kernel = *kernels().product;
  std::vector<Task> panels;
  double work = 0.0;
  for (const Product& p : products) {
    for (std::int64_t i = 0; i * kernel.columns < p.n; ++i) panels.push_back({p, i});
    work += static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  }
  // As many panels for each thread; what is left over is shared out by rows. Each sum is the same
  // chain of additions wherever its row is.
  const std::int64_t threads = threads_for(work);
  const std::int64_t left = std::ssize(panels) % threads;
  std::vector<Task> parts;
  for (std::int64_t i = std::ssize(panels) - left; i < std::ssize(panels); ++i) {
    const Task& whole = panels[static_cast<std::size_t>(i)];
    const std::int64_t m = whole.product.m;
    const std::int64_t pieces = std::clamp(m / kernel.rows, std::int64_t{1}, threads / left);
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      parts.push_back(
          {rows_of(whole.product, piece * m / pieces, (piece + 1) * m / pieces), whole.panel});
    }
  }
  panels.resize(panels.size() - static_cast<std::size_t>(left));

#pragma omp parallel if (threads > 1)
  {
    thread_local std::vector<CacheLine> buffer;
    buffer.resize(static_cast<std::size_t>(kernel.buffer / 16));
    const auto run = [&](const Task& t) {
      kernel.multiply_panel(t.product, t.panel, buffer[0].values);
    };
#pragma omp for schedule(static) nowait
    for (std::size_t i = 0; i < panels.size(); ++i) run(panels[i]);
#pragma omp for schedule(static)
    for (std::size_t i = 0; i < parts.size(); ++i) run(parts[i]);
  }
}

}  // namespace cograd::simd
