// All layers.
#pragma once

#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/init.h"
#include "layers/linear.h"
#include "layers/mixed_precision.h"
#include "layers/module.h"
#include "layers/pooling.h"
#include "layers/relu.h"
#include "layers/sequential.h"
