// cgh: tests the Coherent Gradients hypothesis by medians. Compares plain SGD with M3, RM3 and RA3,
// on true labels and with half of them random (Zielinski, Krishnan, Chatterjee 2020, section 2).
#include "cograd/experiments/report/memorization.h"
#include "cograd/experiments/study/memorization_study.h"
#include "cograd/experiments/study/presets.h"

int main(int argc, char** argv) {
  const cograd::StudyText text{
      "cgh",
      "Trains a model by plain SGD and with medians of gradients, on true labels and on data half "
      "of whose labels are random, and checks what the Coherent Gradients hypothesis predicts. "
      "Leaves one directory per run and report.html in --output-dir.",
      "Coherent gradients: do weak directions memorize?",
      "The hypothesis: a step of SGD is strongest in the directions that many examples share; "
      "those generalize, and memorizing is done by weak directions that serve few examples. A "
      "median over groups of examples suppresses weak directions. If the hypothesis holds, it "
      "must fit far fewer random labels than the mean does, at little cost in what can be "
      "generalized. ra3 sees the data of three steps as rm3 does, but takes their mean: it must "
      "not show the effect.",
      cograd::memorization_claims};
  return cograd::memorization_study(argc, argv, text, cograd::cgh_preset);
}
