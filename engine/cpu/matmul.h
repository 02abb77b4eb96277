// Matrix products of f32, for the sizes that networks of linear layers have.
#pragma once

#include <cstdint>
#include <span>

namespace cograd::cpu {

/// Element (i, j) lies at data[i * row + j * column].
struct MatrixView {
  const float* data;
  std::int64_t row, column;
};

/// c [m, n] (+)= a [m, k] b [k, n] + bias, c in rows c_row apart; bias [n] or null is added to each
/// row. With `relu`, c = max(c, 0) then.
struct Matmul {
  MatrixView a, b;
  std::int64_t m, n, k;
  float* c;
  std::int64_t c_row;
  const float* bias = nullptr;
  bool accumulate = false;
  bool relu = false;
  /// Threads share c by its rows instead of its columns.
  bool by_rows = false;
};

/// Makes the products, which must not overlap in c, on all threads. Each sum is made by one thread
/// in the order of k, so results do not depend on the number of threads. They may differ between
/// instruction sets: some fuse multiplications with additions.
void matmul(std::span<const Matmul> products);

}  // namespace cograd::cpu
