// All data sets, their decorators, and the loader.
#pragma once

#include "data/batch.h"
#include "data/corrupted_labels.h"
#include "data/dataset.h"
#include "data/glyphs.h"
#include "data/idx.h"
#include "data/loader.h"
#include "data/mnist.h"
#include "data/normalized.h"
#include "data/subset.h"
