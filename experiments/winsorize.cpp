// winsorize: clips per-example gradients to a percentile, from not at all to strongly (Chatterjee,
// "Coherent Gradients", ICLR 2020, section 3).
#include "cograd/experiments/report/winsorization.h"
#include "cograd/experiments/study/memorization_study.h"
#include "cograd/experiments/study/presets.h"

int main(int argc, char** argv) {
  const cograd::StudyText text{
      "winsorize",
      "Trains a model with the per-example gradients of every coordinate clipped to the C-th and "
      "(100-C)-th percentile before they are summed up, at several noise levels. Leaves one "
      "directory per run and report.html in --output-dir.",
      "Winsorized gradients: less memorization the more is clipped?",
      "Clipping what single examples do beyond the others leaves the directions that many "
      "examples share and takes from those that few have. The more is clipped (c, in percent on "
      "either side; the mean is c = 0), the less should be memorized and the smaller should the "
      "gap between training and test accuracy be.",
      cograd::winsorization_claims};
  return cograd::memorization_study(argc, argv, text, cograd::winsorize_preset);
}
