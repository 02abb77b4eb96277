// All data sets, their decorators, and the loader.
#pragma once

#include "data/batch.h"
#include "data/byte_images.h"
#include "data/cifar10.h"
#include "data/class_subset.h"
#include "data/corrupted_labels.h"
#include "data/data_identity.h"
#include "data/dataset.h"
#include "data/decorated_dataset.h"
#include "data/glyphs.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/index_file.h"
#include "data/loader.h"
#include "data/mnist.h"
#include "data/normalized.h"
#include "data/subset.h"
