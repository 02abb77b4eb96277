// All data sets, their decorators, and the loader.
#pragma once

#include "cograd/data/batch.h"
#include "cograd/data/byte_images.h"
#include "cograd/data/cifar10.h"
#include "cograd/data/class_subset.h"
#include "cograd/data/corrupted_labels.h"
#include "cograd/data/data_identity.h"
#include "cograd/data/dataset.h"
#include "cograd/data/decorated_dataset.h"
#include "cograd/data/glyphs.h"
#include "cograd/data/idx.h"
#include "cograd/data/image_folder.h"
#include "cograd/data/index_file.h"
#include "cograd/data/loader.h"
#include "cograd/data/mnist.h"
#include "cograd/data/normalized.h"
#include "cograd/data/subset.h"
