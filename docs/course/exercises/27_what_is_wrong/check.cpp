#include "docs/course/exercises/check.h"

int main(int, char** argv) {
  return course::run(argv[1], [](course::Check&, course::Answers& answers) {
    answers.word("A", "control", "what do three groups change in a network with batch norm?");
    answers.word("B", "baseline", "who chose SGD's learning rate?");
    answers.word("C", "updates", "how many steps does either side make in 60 epochs?");
    answers.word("D", "selection", "on which data was the epoch chosen?");
    answers.word("E", "seeds", "what would the numbers be with another seed?");
  });
}
