// The loader: order, completeness, errors, and threads that come and go.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "cograd/data/data.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/lazy_device.h"

namespace cograd::testing {
namespace {

/// Example i has the pixels {i, -i} and label i mod 7, or that of `labels`; `broken`, if not
/// negative, cannot be read.
class Numbered final : public Dataset {
 public:
  explicit Numbered(std::int64_t n, std::int64_t broken = -1) : n_(n), broken_(broken) {}
  std::int64_t size() const override { return n_; }
  std::int64_t classes() const override { return 7; }
  Shape image_shape() const override { return {2, 1, 1}; }
  std::string name() const override { return "numbered"; }
  void read(std::int64_t i, std::int64_t, float* pixels) const override {
    require<ImageError>(i != broken_, "[numbered] example {} is broken", i);
    ++reads;
    std::this_thread::sleep_for(delay);
    pixels[0] = static_cast<float>(i);
    pixels[1] = static_cast<float>(-i);
  }
  std::int64_t label(std::int64_t i) const override {
    const auto other = labels.find(i);
    return other == labels.end() ? i % 7 : other->second;
  }

  std::map<std::int64_t, std::int64_t> labels{};
  mutable std::atomic<std::int64_t> reads = 0;
  std::chrono::microseconds delay{0};

 private:
  std::int64_t n_, broken_;
};

std::vector<std::vector<std::int64_t>> epoch_of(Loader& loader, std::int64_t epoch,
                                                std::int64_t first = 0) {
  std::vector<std::vector<std::int64_t>> batches;
  loader.start_epoch(epoch, first);
  while (auto batch = loader.next()) {
    const auto images = batch->images.to_vector<float>();
    const auto labels = batch->labels.to_vector<std::int64_t>();
    REQUIRE(images.size() == 2 * batch->indices.size());
    REQUIRE(batch->images.shape() == Shape{batch->labels.size(0), 2, 1, 1});
    for (std::size_t i = 0; i < batch->indices.size(); ++i) {
      CHECK(images[2 * i] == static_cast<float>(batch->indices[i]));
      CHECK(images[2 * i + 1] == static_cast<float>(-batch->indices[i]));
      CHECK(labels[i] == batch->indices[i] % 7);
    }
    batches.push_back(batch->indices);
  }
  return batches;
}

}  // namespace

TEST_CASE("the order depends on seed and epoch, not on the workers", "[loader]") {
  const auto set = std::make_shared<Numbered>(103);
  Loader reference(set, {.batch_size = 10, .seed = 5, .workers = 0}, reference_backend());
  const auto expected = epoch_of(reference, 2);
  REQUIRE(expected.size() == 11);
  CHECK(expected.back().size() == 3);
  for (int workers : {1, 2, 5}) {
    CAPTURE(workers);
    Loader loader(set, {.batch_size = 10, .seed = 5, .workers = workers, .prefetch = 3},
                  reference_backend());
    CHECK(epoch_of(loader, 2) == expected);
    CHECK(epoch_of(loader, 3) != expected);
    CHECK(epoch_of(loader, 2) == expected);
    // Resuming in the middle gives the tail.
    CHECK(epoch_of(loader, 2, 4) ==
          std::vector<std::vector<std::int64_t>>(expected.begin() + 4, expected.end()));
  }
  Loader other(set, {.batch_size = 10, .seed = 6}, reference_backend());
  CHECK(epoch_of(other, 2) != expected);
}

TEST_CASE("the parts of a batch are those of the whole one, read once", "[loader]") {
  const auto set = std::make_shared<Numbered>(103);
  Loader whole(set, {.batch_size = 12, .drop_last = true, .seed = 5}, reference_backend());
  const auto expected = epoch_of(whole, 2);
  std::vector<std::vector<std::int64_t>> joined(expected.size());
  for (int part = 0; part < 3; ++part) {
    const auto counted = std::make_shared<Numbered>(103);
    Loader loader(counted,
                  {.batch_size = 12, .drop_last = true, .seed = 5, .part = part, .parts = 3},
                  reference_backend());
    const auto batches = epoch_of(loader, 2);
    REQUIRE(batches.size() == expected.size());
    CHECK(counted->reads == 8 * 4);
    for (std::size_t b = 0; b < batches.size(); ++b) {
      joined[b].insert(joined[b].end(), batches[b].begin(), batches[b].end());
    }
  }
  CHECK(joined == expected);
  const auto refused = [&](const LoaderOptions& options) {
    Loader(set, options, reference_backend());
  };
  CHECK_THROWS_WITH(refused({.batch_size = 12, .drop_last = true, .part = 3, .parts = 3}),
                    contains("part 3 of 3"));
  CHECK_THROWS_WITH(refused({.batch_size = 10, .drop_last = true, .parts = 3}),
                    contains("a batch of 10 in 3 parts"));
  CHECK_THROWS_WITH(refused({.batch_size = 12, .parts = 3}), contains("expected full batches"));
}

TEST_CASE("every example comes once per epoch, drop_last leaves out the rest", "[loader]") {
  const auto set = std::make_shared<Numbered>(103);
  for (bool drop_last : {false, true}) {
    Loader loader(set, {.batch_size = 10, .drop_last = drop_last, .workers = 2},
                  reference_backend());
    std::set<std::int64_t> seen;
    std::size_t count = 0;
    for (const auto& batch : epoch_of(loader, 0)) {
      seen.insert(batch.begin(), batch.end());
      count += batch.size();
      if (drop_last) CHECK(batch.size() == 10);
    }
    CHECK(seen.size() == count);
    CHECK(count == (drop_last ? 100 : 103));
    CHECK(loader.batches() == (drop_last ? 10 : 11));
  }
  Loader ordered(set, {.batch_size = 103, .shuffle = false}, reference_backend());
  const auto batches = epoch_of(ordered, 4);
  CHECK(std::is_sorted(batches[0].begin(), batches[0].end()));
}

TEST_CASE("what a worker meets is thrown by next(), and the rest still comes", "[loader]") {
  for (int workers : {0, 2}) {
    CAPTURE(workers);
    Loader loader(std::make_shared<Numbered>(20, 7),
                  {.batch_size = 5, .shuffle = false, .workers = workers}, reference_backend());
    loader.start_epoch(0);
    CHECK(loader.next().has_value());
    CHECK_THROWS_WITH(loader.next(), contains("example 7 is broken"));
    CHECK(loader.next().has_value());
    CHECK(loader.next().has_value());
    CHECK(!loader.next().has_value());
    CHECK(!loader.next().has_value());
  }
}

TEST_CASE("a label that is no class is found on the host, for every device", "[loader]") {
  for (const std::int64_t label : {-1, 7}) {
    const auto set = std::make_shared<Numbered>(20);
    set->labels[7] = label;
    LazyDevice device;
    for (Backend* backend : {&reference_backend(), static_cast<Backend*>(&device)}) {
      CAPTURE(label, backend->name());
      Loader loader(set, {.batch_size = 5, .shuffle = false, .workers = 0}, *backend);
      loader.start_epoch(0);
      CHECK(loader.next().has_value());
      CHECK_THROWS_WITH(
          loader.next(),
          contains(fmt::format("label {} of example 7 of numbered: expected 0 to 6", label)));
      CHECK(loader.next().has_value());
    }
  }
}

TEST_CASE("a loader may go, or begin anew, at any moment", "[loader]") {
  const auto set = std::make_shared<Numbered>(1000);
  for (int taken = 0; taken < 12; ++taken) {
    Loader loader(set, {.batch_size = 3, .workers = 3, .prefetch = 2}, reference_backend());
    if (taken > 0) loader.start_epoch(0);
    for (int i = 0; i < taken; ++i) loader.next();
    if (taken % 2 == 1) CHECK(epoch_of(loader, 1).size() == 334);
  }
}

TEST_CASE("what was decoded for an epoch left early is forgotten", "[loader]") {
  const auto set = std::make_shared<Numbered>(40);
  Loader reference(set, {.batch_size = 10, .workers = 0}, reference_backend());
  const auto expected = epoch_of(reference, 1);
  set->delay = std::chrono::microseconds(200);
  Loader loader(set, {.batch_size = 10, .workers = 3}, reference_backend());
  for (int wait = 0; wait < 4; ++wait) {  // milliseconds: the workers are in, or past, a batch
    loader.start_epoch(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    CAPTURE(wait);
    CHECK(epoch_of(loader, 1) == expected);
  }
}

TEST_CASE("workers stay within the prefetch", "[loader]") {
  const auto set = std::make_shared<Numbered>(1000);
  Loader loader(set, {.batch_size = 5, .workers = 3, .prefetch = 2}, reference_backend());
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(set->reads == 0);  // no epoch has begun
  loader.start_epoch(0);
  for (int taken = 1; taken <= 20; ++taken) {
    REQUIRE(loader.next().has_value());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CAPTURE(taken);
    CHECK(set->reads <= 5 * (taken + 2));
  }
}

TEST_CASE("a device gets the same batches as the host, and its memory back", "[loader]") {
  const auto set = std::make_shared<Numbered>(103);
  const LoaderOptions options{.batch_size = 10, .seed = 5, .workers = 0, .prefetch = 3};
  Loader reference(set, options, reference_backend());
  const auto expected = epoch_of(reference, 1);
  LazyDevice device;
  for (int workers : {0, 1, 3}) {
    CAPTURE(workers);
    {
      LoaderOptions with_workers = options;
      with_workers.workers = workers;
      Loader loader(set, with_workers, device);
      CHECK(epoch_of(loader, 1) == expected);
      // Leaving an epoch whose next batch may be on its way.
      loader.start_epoch(2);
      for (int i = 0; i < 3; ++i) CHECK(loader.next().has_value());
      CHECK(epoch_of(loader, 1, 6) ==
            std::vector<std::vector<std::int64_t>>(expected.begin() + 6, expected.end()));
      loader.start_epoch(3);
      CHECK(loader.next().has_value());
    }
    CHECK(device.errors() == 0);
    CHECK(device.bytes_in_use() == 0);
    CHECK(device.copies_under_way() == 0);
  }
}

TEST_CASE("bytes become the host's pixels on a device", "[loader][glyphs]") {
  const auto glyphs = draw_glyphs({.size = 40, .image_size = 9});
  const auto normalized =
      std::make_shared<Normalized>(glyphs, ChannelStatistics{.mean = {0.3f}, .std = {0.7f}});
  const auto subset = std::make_shared<Subset>(normalized, std::vector<std::int64_t>{7, 3, 31, 8});
  const auto corrupted = std::make_shared<CorruptedLabels>(first_classes(subset, 9), 0.5, 1);
  for (const DatasetPtr& set :
       {DatasetPtr(glyphs), DatasetPtr(normalized), DatasetPtr(corrupted)}) {
    CAPTURE(set->name());
    REQUIRE(set->byte_scale() != nullptr);
    const auto pixels = [&](Backend& backend) {
      Loader loader(set, {.batch_size = 3, .seed = 5}, backend);
      loader.start_epoch(1);
      std::vector<std::vector<float>> batches;
      while (auto batch = loader.next()) batches.push_back(batch->images.to_vector<float>());
      return batches;
    };
    LazyDevice device;
    CHECK(pixels(device) == pixels(reference_backend()));
    CHECK(device.errors() == 0);
    // A byte a pixel, and the labels.
    CHECK(device.copied() == static_cast<std::size_t>(set->size() * (9 * 9 + 8)));
  }
  // Twice normalized is not one scale of bytes.
  const Normalized twice(normalized, {{0.5f}, {0.5f}});
  CHECK(twice.byte_scale() == nullptr);
  std::uint8_t byte = 0;
  CHECK_THROWS_WITH(Numbered(10).read_bytes(0, &byte), contains("not a set of bytes"));
}

TEST_CASE("the next batch travels while this one is used", "[loader]") {
  const auto set = std::make_shared<Numbered>(100);
  LazyDevice device;
  Loader loader(set, {.batch_size = 10, .workers = 1, .prefetch = 3}, device);
  loader.start_epoch(0);
  REQUIRE(loader.next().has_value());
  while (set->reads < 30) std::this_thread::yield();  // so the second batch is decoded
  REQUIRE(loader.next().has_value());
  while (set->reads < 50) std::this_thread::yield();
  REQUIRE(loader.next().has_value());
  CHECK(device.copies_under_way() == 2);  // images and labels of the fourth
}

TEST_CASE("the loader refuses senseless options", "[loader]") {
  const auto set = std::make_shared<Numbered>(10);
  const auto make = [&](const LoaderOptions& options) {
    Loader loader(set, options, reference_backend());
  };
  CHECK_THROWS_AS(make({.batch_size = 0}), ValueError);
  CHECK_THROWS_AS(make({.batch_size = 11, .drop_last = true}), ValueError);
  CHECK_THROWS_AS(make({.workers = -1}), ValueError);
  CHECK_THROWS_AS(make({.workers = 257}), ValueError);
  CHECK_THROWS_AS(make({.prefetch = 0}), ValueError);
  CHECK_THROWS_AS(Loader(std::make_shared<Numbered>(0), {}, reference_backend()), ValueError);
  Loader loader(set, {}, reference_backend());
  CHECK_THROWS_AS(loader.next(), ValueError);
  CHECK_THROWS_AS(loader.start_epoch(0, 2), ValueError);
}

}  // namespace cograd::testing
