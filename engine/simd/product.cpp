#include "engine/simd/product.h"

#include <vector>

#include "engine/simd/kernels.h"

namespace cograd::simd {

void multiply(std::span<const Product> products) {
  [[maybe_unused]] constexpr double kWorthThreads = 5e5;  // multiplications
  const ProductKernel& kernel = *kernels().product;
  struct Panel {
    const Product* product;
    std::int64_t index;
  };
  std::vector<Panel> panels;
  [[maybe_unused]] double work = 0.0;  // without OpenMP
  for (const Product& p : products) {
    for (std::int64_t i = 0; i * kernel.columns < p.n; ++i) panels.push_back({&p, i});
    work += static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  }
#pragma omp parallel if (work > kWorthThreads && panels.size() > 1)
  {
    thread_local std::vector<CacheLine> buffer;
    buffer.resize(static_cast<std::size_t>(kernel.buffer / 16));
#pragma omp for schedule(static)
    for (std::size_t i = 0; i < panels.size(); ++i) {
      kernel.multiply_panel(*panels[i].product, panels[i].index, buffer[0].values);
    }
  }
}

}  // namespace cograd::simd
