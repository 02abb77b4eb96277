#include "docs/course/exercises/check.h"

#include "cograd/engine/aggregation/order_statistics.h"

namespace {

double comparators(std::int64_t k) {
  double count = 0;
  cograd::for_each_comparator(k, [&](std::int32_t, std::int32_t) { ++count; });
  return count;
}

}  // namespace

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    const auto exact = [&](const std::string& question, double right, const char* hint) {
      answers.number(question, right, hint, 1e-9);
    };
    exact("comparators for 3 values", comparators(3), "follow the loops: run 1, then run 2");
    exact("comparators for 9 values", comparators(9), "call for_each_comparator with a counter");
    exact("by step 2", 4 * comparators(9), "a comparator reads two numbers and writes two");
    exact("by step 3", 10, "read K, write one");
    exact("bytes", 10.0 * 4 * 1'000'000, "K + 1 numbers of 4 bytes for each coordinate");
    answers.word("slowest step", "1", "which one has a branch that nobody can predict?");
    answers.word("fastest step", "3", "which one moves the fewest bytes without branches?");
    answers.word("limit for 3 values", "memory", "6 operations for 16 bytes: left of the corner");
    answers.word("limit for 63 values", "arithmetic",
                 "the network grows as K (log K)^2, the bytes as K; look at the table of kernels");
  });
}
