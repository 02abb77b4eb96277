// label_noise: trains every chosen aggregator at every noise level and reports how many false
// labels each memorizes.
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/study/memorization_study.h"
#include "cograd/experiments/study/presets.h"

int main(int argc, char** argv) {
  const cograd::StudyText text{
      "label_noise",
      "Trains a model with each aggregator on data whose labels are partly random, and reports "
      "how much of the false labels each one memorizes. Leaves one directory per run and "
      "report.html in --output-dir.",
      "Label noise: which aggregators memorize random labels?",
      "A part of the training labels was replaced by random ones. A network that learns what is "
      "common to many examples has no use for them; one that memorizes fits them all the same, "
      "and pays with its test accuracy. Every run below trains the same network on the same "
      "labels; the only difference is how the gradients of the examples of a batch are made into "
      "one.",
      cograd::memorization_claims};
  return cograd::memorization_study(argc, argv, text, cograd::label_noise_preset);
}
