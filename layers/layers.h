// All layers.
#pragma once

#include "cograd/layers/batch_norm.h"
#include "cograd/layers/conv2d.h"
#include "cograd/layers/dropout.h"
#include "cograd/layers/flatten.h"
#include "cograd/layers/init.h"
#include "cograd/layers/linear.h"
#include "cograd/layers/mixed_precision.h"
#include "cograd/layers/module.h"
#include "cograd/layers/pooling.h"
#include "cograd/layers/relu.h"
#include "cograd/layers/sequential.h"
