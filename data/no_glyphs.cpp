// Stands in for glyphs.cpp in builds without OpenCV.
#include "cograd/data/glyphs.h"
#include "cograd/engine/error.h"

namespace cograd {

DatasetPtr draw_glyphs(const GlyphOptions&) {
  throw ValueError(
      "[glyphs] digits are drawn by OpenCV, which this build lacks: install libopencv-core-dev and "
      "libopencv-imgproc-dev and build again, or use another data set");
}

}  // namespace cograd
