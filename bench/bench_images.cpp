// Reading, decoding and transforming photographs on one thread: images per second.
// The photographs are all .JPEG, .jpg and .png files below $COGRAD_DATA/imagenet_samples.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/report.h"
#include "cograd/data/image_scan.h"
#include "cograd/data/transform.h"
#include "cograd/engine/file.h"

namespace {

using namespace cograd;

std::vector<std::string> photographs() {
  std::vector<std::string> paths;
  if (const char* root = std::getenv("COGRAD_DATA")) {
    const std::filesystem::path folder = std::filesystem::path(root) / "imagenet_samples";
    for (const ImageIndex::Class& c : scan_image_folder(folder).classes) {
      for (const ImageIndex::Folder& below : c.folders) {
        for (const ImageIndex::File& f : below.files) {
          paths.push_back(folder / c.name / below.path / f.name);
        }
      }
    }
  }
  return paths;
}

void transform(benchmark::State& state, const ImageTransform& transform) {
  static const std::vector<std::string> paths = photographs();
  if (paths.empty()) {
    state.SkipWithError("needs photographs in $COGRAD_DATA/imagenet_samples");
    return;
  }
  std::vector<float> pixels(static_cast<std::size_t>(3 * transform.crop * transform.crop));
  std::vector<std::uint8_t> bytes;
  std::uint64_t draw = 0;
  for (auto _ : state) {
    for (const std::string& path : paths) {
      Random random(1, draw++);
      read_file(path, bytes);
      transform_image(bytes, path, transform, random, pixels.data());
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * std::ssize(paths));
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::int64_t size : {64, 224, 299}) {
    for (const bool augment : {false, true}) {
      const std::string name =
          "images/" + std::to_string(size) + (augment ? "/random_resized_crop" : "/center_crop");
      benchmark::RegisterBenchmark(name.c_str(), transform, imagenet_transform(size, augment))
          ->Unit(benchmark::kMillisecond);
    }
  }
  return bench::run_all(argc, argv, nullptr);
}
