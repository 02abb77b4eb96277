#include "cograd/engine/cpu/matmul.h"

#include <algorithm>
#include <vector>

#include "cograd/engine/cpu/matmul_kernels.h"
#include "cograd/engine/threads.h"

namespace cograd::cpu {
namespace {

/// Rows [begin, end) of a panel of columns of a product.
struct Task {
  const Matmul* product;
  std::int64_t panel, begin, end;
};

/// Rows [begin, end) of p.
Matmul rows_of(Matmul p, std::int64_t begin, std::int64_t end) {
  p.a.data += begin * p.a.row;
  p.c += begin * p.c_row;
  p.m = end - begin;
  return p;
}

std::int64_t threads_for(std::int64_t multiplications) {
  constexpr std::int64_t kWorthThreads = 200'000;
  return multiplications > kWorthThreads ? thread_count() : 1;
}

/// The tasks of products that are not shared by rows, in order, and where each thread's begin. Work
/// is counted in rows of panels times k.
struct Shares {
  std::vector<Task> tasks;
  std::vector<std::size_t> first{0};  // [threads + 1]
};

/// Shares work out equally. The panel where one thread ends and the next begins is shared by rows:
/// each sum is the same chain of additions wherever its row is.
Shares share_out(std::span<const Matmul> products, const MatmulKernels& kernels,
                 std::int64_t threads, std::int64_t work) {
  Shares shares;
  std::int64_t before = 0;  // work in front of the next row
  for (const Matmul& p : products) {
    for (std::int64_t panel = 0; !p.by_rows && panel * kernels.columns < p.n; ++panel) {
      std::int64_t row = 0;
      for (; std::ssize(shares.first) < threads; shares.first.push_back(shares.tasks.size())) {
        const std::int64_t end = work * std::ssize(shares.first) / threads;
        if (p.k == 0 || before + (p.m - row) * p.k <= end) break;
        const std::int64_t blocks = ((end - before) / p.k + kernels.rows / 2) / kernels.rows;
        const std::int64_t rows = std::clamp(blocks * kernels.rows, std::int64_t{0}, p.m - row);
        if (rows > 0) shares.tasks.push_back({&p, panel, row, row + rows});
        row += rows;
        before += rows * p.k;
      }
      if (row < p.m) shares.tasks.push_back({&p, panel, row, p.m});
      before += (p.m - row) * p.k;
    }
  }
  shares.first.resize(static_cast<std::size_t>(threads) + 1, shares.tasks.size());
  return shares;
}

}  // namespace

const MatmulKernels& matmul_kernels() { return COGRAD_TABLE_IN_FORCE(kMatmul); }

void matmul(std::span<const Matmul> products) {
  const MatmulKernels& kernels = matmul_kernels();
  std::int64_t work = 0, work_by_rows = 0;
  for (const Matmul& p : products) {
    (p.by_rows ? work_by_rows : work) += (p.n + kernels.columns - 1) / kernels.columns * p.m * p.k;
  }
  const std::int64_t threads = threads_for((work + work_by_rows) * kernels.columns);
  const Shares shares = share_out(products, kernels, threads, work);

  parallel(threads, [&](std::int64_t thread) {
    thread_local std::vector<simd::CacheLine> buffer;
    buffer.resize(static_cast<std::size_t>(kernels.buffer / 16));
    for (const Matmul& p : products) {
      const Part rows(p.m, threads, thread);
      if (!p.by_rows || rows.size() == 0) continue;
      const Matmul own = rows_of(p, rows.begin, rows.end);
      for (std::int64_t panel = 0; panel * kernels.columns < p.n; ++panel) {
        kernels.multiply_panel(own, panel, buffer[0].values);
      }
    }
    const auto t = static_cast<std::size_t>(thread);
    for (std::size_t i = shares.first[t]; i < shares.first[t + 1]; ++i) {
      const Task& task = shares.tasks[i];
      kernels.multiply_panel(rows_of(*task.product, task.begin, task.end), task.panel,
                             buffer[0].values);
    }
  });
}

}  // namespace cograd::cpu
