// Link: course_cuda_emulator
#include "docs/course/exercises/check.h"

#include "cograd/engine/random.h"
#include "tests/support/cuda_emulator/emulator.h"

namespace {

int barriers = 0;  // that thread 0 of block 0 met

[[maybe_unused]] void counted_barrier() {
  if (blockIdx.x == 0 && threadIdx.x == 0) ++barriers;
  cuda_emulator::wait_for_block();
}

}  // namespace

#define __syncthreads counted_barrier
#include COURSE_STUDENT
#undef __syncthreads

namespace {

using Floats = std::vector<float>;

Floats partial_sums(const Floats& x, unsigned blocks) {
  Floats partial(blocks, -1.0f);
  barriers = 0;
  cuda_emulator::run(dim3(blocks), dim3(kThreads), [&] {
    sum_kernel(static_cast<unsigned>(x.size()), x.data(), partial.data());
  });
  return partial;
}

/// What block `block` should have, in double.
double expected_sum(const Floats& x, unsigned blocks, unsigned block) {
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i / kThreads % blocks == block) sum += x[i];
  }
  return sum;
}

}  // namespace

int main() {
  return course::run([](course::Check& check) {
    cograd::Random random(2);
    for (const std::size_t n : {0, 1, 255, 256, 1000, 10000}) {
      Floats x(n);
      for (float& v : x) v = static_cast<float>(random.uniform(-1, 1));
      Floats got;
      std::vector<double> expected;
      for (const unsigned blocks : {1u, 2u, 7u}) {
        const Floats partial = partial_sums(x, blocks);
        got.insert(got.end(), partial.begin(), partial.end());
        for (unsigned b = 0; b < blocks; ++b) expected.push_back(expected_sum(x, blocks, b));
      }
      check.all_near(fmt::format("sums of {} numbers in 1, 2 and 7 blocks", n), got, expected, 1e-4,
                     "a number that is read before its barrier is an old one");
      if (n == 10000) {
        check.that(partial_sums(x, 7) == partial_sums(x, 7), "the same bits twice", "they differ");
      }
    }
    check.equal("barriers that a thread meets", barriers, 9,
                "one after the writes, one after each of eight halvings");
  });
}
