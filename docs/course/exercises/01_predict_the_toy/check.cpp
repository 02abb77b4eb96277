// Compile: -O1
#include "docs/course/exercises/check.h"

#include "docs/examples/toy.h"

namespace {

template <int K>
double median_of_values(std::array<double, K> values) {
  double x[K];
  std::copy(values.begin(), values.end(), x);
  return cograd::median(x);
}

double fitted(const char* rule, std::int64_t copies) {
  return toy::train(*cograd::parse_aggregator(rule), {.copies = copies}).fitted;
}

}  // namespace

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    const char* middle = "sort the values, zeros included, and take the middle";
    answers.number("median of 2 0 0", median_of_values<3>({2, 0, 0}), middle);
    answers.number("median of 2 -1 0.5", median_of_values<3>({2, -1, 0.5}), middle);
    answers.number("median of 3 0 0 1", median_of_values<4>({3, 0, 0, 1}),
                   "of an even number of values the median is the mean of the middle two");
    answers.number("median of 4 0 4 0 0", median_of_values<5>({4, 0, 4, 0, 0}), middle);
    answers.number("m3", fitted("m3", 1),
                   "in how many of the three groups is an example's own feature not 0?");
    answers.number("mom:1", fitted("mom:1", 1), "what is the median of one value?");
    answers.number("trimmed:5,1", fitted("trimmed:5,1", 1),
                   "one of five values is not 0: is it among those that are dropped?");
    answers.number("m3 with two copies", fitted("m3", 2), "the three values are g, g and 0");
    answers.number("mom:5 with two copies", fitted("mom:5", 2),
                   "the five values are g, g, 0, 0 and 0");
    answers.number("trimmed:5,1 with two copies", fitted("trimmed:5,1", 2),
                   "of g, g, 0, 0, 0 one g and one 0 are dropped: what is the mean of the rest?");
  });
}
