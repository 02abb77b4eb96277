// Builds without OpenCV.
#include "cograd/data/glyphs.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"

namespace cograd {
namespace {

TEST_CASE("without OpenCV digits are not drawn, and say what to install", "[data]") {
  CHECK_THROWS_AS(draw_glyphs({}), ValueError);
  CHECK_THROWS_WITH(draw_glyphs({}),
                    "[glyphs] digits are drawn by OpenCV, which this build lacks: install "
                    "libopencv-core-dev and libopencv-imgproc-dev and build again, or use another "
                    "data set");
}

}  // namespace
}  // namespace cograd
