// The gallery of easy and hard examples: over images that cannot be read, and of runs that failed.
#include <algorithm>
#include <set>

#include "cograd/engine/error.h"
#include "cograd/experiments/record/difficulty.h"
#include "cograd/experiments/report/difficulty_gallery.h"
#include "tests/support/catch.h"
#include "tests/support/records.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

/// Gray images of one class, 2 x 2, as bright as their index; some cannot be read.
class Grays : public Dataset {
 public:
  explicit Grays(std::set<std::int64_t> broken) : broken_(std::move(broken)) {}
  std::int64_t size() const override { return 12; }
  std::int64_t classes() const override { return 1; }
  Shape image_shape() const override { return {1, 2, 2}; }
  std::string name() const override { return "grays"; }
  std::int64_t label(std::int64_t /* index */) const override { return 0; }
  void read(std::int64_t index, std::int64_t /* epoch */, float* pixels) const override {
    if (broken_.contains(index) && index % 2 == 0) throw ImageError("[grays] broken");
    if (broken_.contains(index)) throw IoError("[grays] unreadable");
    std::fill(pixels, pixels + 4, static_cast<float>(index) / 255.0f);
  }

 private:
  std::set<std::int64_t> broken_;
};

/// Indices of the easiest and of the hardest thumbnails, told by their pixels; -1 between.
std::vector<int> shown(const std::set<std::int64_t>& broken, std::int64_t shift = 0) {
  const TemporaryFolder folder;
  std::vector<ExampleDifficulty> examples;
  for (std::int64_t i = 0; i < 12; ++i) {  // the later, the harder
    examples.push_back({});
    examples.back().index = i + shift;
    examples.back().learned_since = 10 * i;
  }
  write_difficulty(folder.path / "difficulty.csv", examples);
  RunRecord run = run_with("mean", 30, 0.0, 99.0, 0.0, 98.0);
  run.folder = folder.path;
  const ChannelStatistics statistics{{0.0f}, {1.0f}};
  const Gallery gallery = difficulty_gallery(run, Grays(broken), statistics);
  std::vector<int> indices;
  for (const GalleryRow& row : gallery.rows) {
    for (const Thumbnail& t : row.easiest) indices.push_back(t.pixels[0]);
    indices.push_back(-1);
    for (const Thumbnail& t : row.hardest) indices.push_back(t.pixels[0]);
  }
  return indices;
}

}  // namespace

TEST_CASE("an image that cannot be read leaves its place to the next", "[report]") {
  CHECK(shown({}) == std::vector<int>{0, 1, 2, 3, -1, 11, 10, 9, 8});
  CHECK(shown({0, 3, 10}) == std::vector<int>{1, 2, 4, 5, -1, 11, 9, 8, 7});
  CHECK(shown({0, 1, 10, 11}) == std::vector<int>{2, 3, 4, 5, -1, 9, 8, 7, 6});
  CHECK(shown({0, 1, 2, 10, 11}).empty());  // seven are left
  // Indices from elsewhere are not trusted.
  CHECK_THROWS_AS(shown({}, -2), FormatError);
  CHECK(shown({}, 1) == std::vector<int>{1, 2, 3, 4, -1, 11, 10, 9, 8});
  CHECK(shown({}, 1LL << 40).empty());
}

TEST_CASE("a run that failed has no gallery", "[report][failed]") {
  RunRecord run = run_with("mean", 30, 0.0, 99.0, 0.0, 98.0);
  run.failure = "diverged at epoch 1, step 7";
  CHECK(difficulty_gallery(run, Grays({}), {{0.0f}, {1.0f}}).rows.empty());
}

}  // namespace cograd::testing
