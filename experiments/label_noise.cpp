// label_noise: trains every chosen aggregator at every noise level and reports how many false
// labels each memorizes.
#include "cograd/experiments/study/memorization_study.h"

int main(int argc, char** argv) { return cograd::label_noise_study(argc, argv); }
