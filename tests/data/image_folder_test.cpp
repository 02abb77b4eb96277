// Image folders: which files, their index, layouts, broken files, and subsets of them.
#include "cograd/data/image_folder.h"

#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <mutex>
#include <sstream>

#include "cograd/data/class_subset.h"
#include "cograd/data/image_scan.h"
#include "cograd/data/loader.h"
#include "cograd/data/subset.h"
#include "cograd/engine/backend.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// A picture of one brightness.
std::vector<std::uint8_t> gray_jpeg(int brightness) {
  return make_jpeg({.width = 24, .height = 16, .given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE},
                   [brightness](int, int) {
                     return std::vector<std::uint8_t>{static_cast<std::uint8_t>(brightness)};
                   });
}

ImageFolderOptions options_for(std::int64_t size, bool augment = false) {
  ImageFolderOptions options;
  options.transform = {.resize = size,
                       .crop = size,
                       .augment = augment,
                       .statistics = {{0, 0, 0}, {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}}};
  return options;
}

/// train/ant with 2 images, train/bee with 3, val/ with one each; brightness 10, 20, ... in order.
void make_folder(const fs::path& root) {
  int brightness = 0;
  for (const char* file :
       {"train/ant/b.jpg", "train/ant/a.JPEG", "train/bee/1.jpeg", "train/bee/2.jpg",
        "train/bee/3.JPG", "val/ant/x.jpg", "val/bee/y.jpg"}) {
    write_bytes(root / file, gray_jpeg(brightness += 10));
  }
  write_bytes(root / "train/ant/.hidden.jpg", {1, 2, 3});
  write_bytes(root / "train/.hidden/a.jpg", {1, 2, 3});
  write_bytes(root / "train/ant/notes.txt", {1, 2, 3});
}

int brightness_of(const Dataset& set, std::int64_t index) {
  return static_cast<int>(std::lround(set.get(index).pixels[0]));
}

}  // namespace

TEST_CASE("an image folder is sorted and labelled by folder", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path);
  const ImageFolder train(scratch.path, Split::train, "things", options_for(16));
  CHECK(train.name() == "things train");
  REQUIRE(train.size() == 5);
  CHECK(train.classes() == 2);
  CHECK(train.image_shape() == Shape{3, 16, 16});
  CHECK(train.class_names() == std::vector<std::string>{"ant", "bee"});
  const std::vector<int> expected{20, 10, 30, 40, 50};  // a.JPEG before b.jpg
  for (std::int64_t i = 0; i < 5; ++i) {
    CAPTURE(i);
    CHECK(train.label(i) == (i < 2 ? 0 : 1));
    CHECK(std::abs(brightness_of(train, i) - expected[static_cast<std::size_t>(i)]) <= 2);
  }
  CHECK(train.path(0) == scratch.path / "train/ant/a.JPEG");
  CHECK_THROWS_AS(train.label(5), ValueError);
  CHECK_THROWS_AS(train.get(-1), ValueError);

  std::ofstream(scratch.path / "words.txt") << "ant\tant, emmet\nwasp\twasp\n";
  const ImageFolder test(scratch.path, Split::test, "things", options_for(16));
  CHECK(test.size() == 2);
  CHECK(test.class_names() == std::vector<std::string>{"ant, emmet", "bee"});
}

TEST_CASE("Tiny ImageNet's own layout is read", "[images]") {
  const TemporaryFolder scratch;
  write_bytes(scratch.path / "train/n02/images/n02_0.JPEG", gray_jpeg(20));
  write_bytes(scratch.path / "train/n01/images/n01_0.JPEG", gray_jpeg(10));
  write_bytes(scratch.path / "train/n01/n01_boxes.txt", {'x'});
  write_bytes(scratch.path / "val/images/val_0.JPEG", gray_jpeg(30));
  write_bytes(scratch.path / "val/images/val_1.JPEG", gray_jpeg(40));
  const fs::path table = scratch.path / "val/val_annotations.txt";
  std::ofstream(table) << "val_1.JPEG\tn02\t0\t32\t44\t62\nval_0.JPEG\tn01\t1\t2\t3\t4\n";
  for (int round = 0; round < 2; ++round) {  // the second one from the cached index
    const ImageFolder train(scratch.path, Split::train, "tiny", options_for(16));
    REQUIRE(train.size() == 2);
    CHECK(train.label(1) == 1);
    CHECK(std::abs(brightness_of(train, 0) - 10) <= 2);
    const ImageFolder val(scratch.path, Split::test, "tiny", options_for(16));
    REQUIRE(val.size() == 2);
    CHECK(val.label(0) == 1);
    CHECK(std::abs(brightness_of(val, 0) - 40) <= 2);
    CHECK(val.label(1) == 0);
  }
  const auto refused = [&](const std::string& line, const std::string& complaint) {
    std::ofstream(table) << line << "\n";
    CHECK_THROWS_WITH(ImageFolder(scratch.path, Split::test, "tiny", options_for(16)),
                      contains(complaint) && contains("line 1"));
  };
  refused("val_0.JPEG n03", "n03 is a class that train/ does not have");
  refused("val_0.JPEG", "expected a file name and a class");
  refused("../x.JPEG n01", "expected a file name and a class");
  std::ofstream(table) << "val_7.JPEG n01\n";
  CHECK_THROWS_WITH(ImageFolder(scratch.path, Split::test, "tiny", options_for(16)),
                    contains("lists 1 images, none of which"));
  std::ofstream(table) << "val_0.JPEG n01\nval_0.JPEG n02\n";
  CHECK_THROWS_WITH(ImageFolder(scratch.path, Split::test, "tiny", options_for(16)),
                    contains("line 2: val_0.JPEG is listed twice"));
  // One that is missing is a broken image; one that is not listed is told.
  std::ofstream(table) << "\xEF\xBB\xBFval_7.JPEG n01\r\nval_0.JPEG n02\r\n";
  const ImageFolder val(scratch.path, Split::test, "tiny", options_for(16));
  REQUIRE(val.size() == 2);
  CHECK_THROWS_AS(val.get(0), ImageError);
  CHECK(val.label(1) == 1);
  REQUIRE(val.notes().size() == 1);
  CHECK_THAT(val.notes()[0], contains("1 image is left out"));
}

TEST_CASE("the rules of image folders are torchvision's", "[images]") {
  const TemporaryFolder scratch;
  const fs::path train = scratch.path / "train";
  // In the order of sorted(os.walk()): folders by their whole path, in each the files by name.
  const std::vector<std::string> ant = {"b.jpg",   "z.PNG",     "#1/c.jpg",
                                        "a/x.jpg", "a b/x.jpg", "a/b/deep/x.jpeg"};
  for (const std::string& file : ant) write_bytes(train / "ant" / file, gray_jpeg(10));
  write_bytes(train / "bee/only/below.jpg", gray_jpeg(20));
  for (const char* junk :
       {"__MACOSX/ant/._b.jpg", ".DS_Store", "ant/.DS_Store", "ant/Thumbs.db", "ant/._b.jpg",
        "ant/__MACOSX/b.jpg", "ant/notes.txt", "readme.jpg", "desktop.ini"}) {
    write_bytes(train / junk, gray_jpeg(9));
  }
  write_bytes(train / "ant/left_out.webp", {1, 2, 3});
  const ImageFolder set(scratch.path, Split::train, "things", options_for(16));
  REQUIRE(set.size() == 7);
  const std::vector<std::string> expected = {"b.jpg",   "z.PNG",     "#1/c.jpg",
                                             "a/x.jpg", "a b/x.jpg", "a/b/deep/x.jpeg"};
  std::vector<std::string> sorted = expected;
  std::stable_sort(sorted.begin() + 2, sorted.end(),
                   [](const std::string& x, const std::string& y) {
                     return x.substr(0, x.rfind('/')) < y.substr(0, y.rfind('/'));
                   });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    CHECK(set.path(static_cast<std::int64_t>(i)) == train / "ant" / sorted[i]);
  }
  CHECK(set.classes() == 2);
  CHECK(set.label(6) == 1);
  REQUIRE(set.notes().size() == 3);
  CHECK_THAT(set.notes()[0], contains("1 .webp"));
  CHECK_THAT(set.notes()[1], contains("3 entries are left out"));
  CHECK_THAT(set.notes()[2], contains("1 image is left out: in no folder of a class"));
  // From the cache the same; a file that is new in the deepest folder is seen.
  const auto past = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(train / "ant/a/b/deep", past);
  CHECK(ImageFolder(scratch.path, Split::train, "things", options_for(16)).fingerprint() ==
        set.fingerprint());
  write_bytes(train / "ant/a/b/deep/y.jpg", gray_jpeg(10));
  CHECK(ImageFolder(scratch.path, Split::train, "things", options_for(16)).size() == 8);
}

TEST_CASE("names of any bytes are files and classes", "[images]") {
  const TemporaryFolder scratch;
  const std::vector<std::string> names = {"a\nb",          "a\\nb",     "c\xE4t",
                                          "x y",           "\x1B[31m",  "\xF0\x9F\x98\x80",
                                          "class 1 2 3 a", "'; rm -rf", "<b>"};
  for (const std::string& name : names) {
    write_bytes(scratch.path / "train" / name / (name + ".jpg"), gray_jpeg(50));
    write_bytes(scratch.path / "val" / name / "1.jpg", gray_jpeg(50));
  }
  for (int round = 0; round < 2; ++round) {  // the second one from the cached index
    const ImageFolder set(scratch.path, Split::train, "things", options_for(16));
    REQUIRE(set.size() == std::ssize(names));
    std::vector<std::string> found = set.class_names(), sorted = names;
    std::sort(sorted.begin(), sorted.end());
    CHECK(found == sorted);
    for (std::int64_t i = 0; i < set.size(); ++i) CHECK(std::abs(brightness_of(set, i) - 50) <= 2);
  }
  const ImageIndex index = scan_image_folder(scratch.path / "train");
  CHECK(parse_image_index(to_text(index, 0), "x").index == index);
}

TEST_CASE("links are followed, but not in a circle", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path);
  write_bytes(scratch.path / "elsewhere/1.jpg", gray_jpeg(70));
  fs::create_symlink("../../elsewhere", scratch.path / "train/ant/more");
  fs::create_symlink("nothing", scratch.path / "train/ant/c.jpg");
  fs::create_symlink("d.jpg", scratch.path / "train/ant/d.jpg");
  fs::create_symlink("../loop", scratch.path / "train/loop");
  const ImageFolder set(scratch.path, Split::train, "things", options_for(16));
  REQUIRE(set.size() == 8);
  CHECK(std::abs(brightness_of(set, 4) - 70) <= 2);
  CHECK_THROWS_AS(set.get(2), ImageError);  // dangling
  CHECK_THROWS_AS(set.get(3), ImageError);  // a link to itself
  REQUIRE(::mkfifo((scratch.path / "train/bee/4.jpg").c_str(), 0600) == 0);
  const ImageFolder with_pipe(scratch.path, Split::train, "things", options_for(16));
  CHECK_THROWS_AS(with_pipe.get(with_pipe.size() - 1), ImageError);
  fs::create_symlink("..", scratch.path / "train/bee/up");
  CHECK_THROWS_WITH(ImageFolder(scratch.path, Split::train, "things", options_for(16)),
                    contains("is a link to a folder that it lies in"));
}

TEST_CASE("lists of names are read from any editor", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path);
  const auto names = [&](const std::string& words) {
    std::ofstream(scratch.path / "words.txt", std::ios::binary) << words;
    return ImageFolder(scratch.path, Split::train, "things", options_for(16)).class_names();
  };
  const std::vector<std::string> expected = {"a small ant", "bee"};
  CHECK(names("ant\ta small ant\ncow\ta cow\n") == expected);
  CHECK(names("\xEF\xBB\xBF"
              "ant\ta small ant\r\ncow\ta cow\r\n") == expected);
  CHECK(names("ant\ta small ant") == expected);
  CHECK(names("ant\tf\xFCr\n")[0] == "f\xFCr");
  std::string utf16 = "\xFF\xFE";
  for (const char c : std::string("ant\ta small ant\r\n")) utf16 += {c, '\0'};
  CHECK(names(utf16) == expected);
  CHECK_THROWS_WITH(names(std::string("ant\0x", 5)), contains("words.txt holds zero bytes"));
}

TEST_CASE("image folders say what is missing", "[images]") {
  const TemporaryFolder scratch;
  const auto open = [&](Split split) {
    return ImageFolder(scratch.path, split, "things", options_for(16));
  };
  CHECK_THROWS_WITH(open(Split::train), contains("there is no folder train/"));
  fs::create_directories(scratch.path / "train");
  CHECK_THROWS_WITH(open(Split::train), contains("expected one for each class"));
  fs::create_directories(scratch.path / "train/ant");
  CHECK_THROWS_WITH(open(Split::train), contains("has no image"));
  write_bytes(scratch.path / "train/ant/a.jpg", gray_jpeg(9));
  CHECK(open(Split::train).size() == 1);
  CHECK_THROWS_WITH(open(Split::test), contains("val/ or test/"));
  write_bytes(scratch.path / "test/bee/a.jpg", gray_jpeg(9));
  CHECK_THROWS_WITH(open(Split::test), contains("bee is a class that train/ does not have"));
}

TEST_CASE("files that cannot be read as they were indexed are broken images", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path);
  // Made before the folder is indexed: a pipe and links that lead nowhere, round, and to a device.
  REQUIRE(::mkfifo((scratch.path / "train/bee/4.jpg").c_str(), 0600) == 0);
  fs::create_symlink("nowhere", scratch.path / "train/bee/5.jpg");
  fs::create_symlink("6.jpg", scratch.path / "train/bee/6.jpg");
  fs::create_symlink("/dev/zero", scratch.path / "train/bee/7.jpg");
  const ImageFolder train(scratch.path, Split::train, "things", options_for(16));
  REQUIRE(train.size() == 9);
  CHECK_THROWS_WITH(train.get(5), contains("4.jpg is a pipe"));
  for (const int index : {5, 6, 7, 8}) CHECK_THROWS_AS(train.get(index), ImageError);

  CHECK_NOTHROW(train.get(2));
  auto longer = gray_jpeg(30);
  longer.push_back(0);
  write_bytes(train.path(2), longer);
  CHECK_THROWS_AS(train.get(2), ImageError);
  CHECK_THROWS_WITH(train.get(2), contains("1.jpeg") && contains(".cograd-index"));
  fs::last_write_time(train.path(3), fs::file_time_type::clock::now() + std::chrono::hours(1));
  CHECK_THROWS_AS(train.get(3), ImageError);
  fs::remove(train.path(4));
  CHECK_THROWS_AS(train.get(4), ImageError);
  fs::permissions(train.path(0), fs::perms::none);
  if (::geteuid() != 0) CHECK_THROWS_AS(train.get(0), ImageError);
}

TEST_CASE("augmentation is a function of seed, epoch and index", "[images]") {
  const TemporaryFolder scratch;
  for (int i = 0; i < 6; ++i) {
    write_bytes(scratch.path / fmt::format("train/a/{}.jpg", i),
                make_jpeg({.width = 60, .height = 50}, gradient));
  }
  ImageFolderOptions options = options_for(8, true);
  const auto set = std::make_shared<ImageFolder>(scratch.path, Split::train, "a", options);
  options.seed = 1;
  const ImageFolder other(scratch.path, Split::train, "a", options);
  CHECK(set->get(2, 3).pixels == set->get(2, 3).pixels);
  CHECK(set->get(2, 3).pixels != set->get(2, 4).pixels);
  CHECK(set->get(2, 3).pixels != set->get(3, 3).pixels);
  CHECK(set->get(2, 3).pixels != other.get(2, 3).pixels);

  for (const int workers : {0, 1, 3}) {
    CAPTURE(workers);
    Loader loader(set, {.batch_size = 4, .seed = 9, .workers = workers}, reference_backend());
    for (const std::int64_t epoch : {5, 6}) {
      loader.start_epoch(epoch);
      while (const auto batch = loader.next()) {
        const auto pixels = batch->images.to_vector<float>();
        for (std::size_t i = 0; i < batch->indices.size(); ++i) {
          const auto expected = set->get(batch->indices[i], epoch).pixels;
          const auto at = pixels.begin() + static_cast<std::ptrdiff_t>(i * expected.size());
          CHECK(std::equal(expected.begin(), expected.end(), at));
        }
      }
    }
  }
}

TEST_CASE("hard links make an image folder of some examples", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path / "all");
  const ImageFolder all(scratch.path / "all", Split::train, "all", options_for(16));
  hard_link_images(all, {1, 4}, scratch.path / "easy/train");
  const ImageFolder easy(scratch.path / "easy", Split::train, "easy", options_for(16));
  REQUIRE(easy.size() == 2);
  CHECK(easy.class_names() == std::vector<std::string>{"ant", "bee"});
  CHECK(easy.get(1).pixels == all.get(4).pixels);
  CHECK(fs::equivalent(all.path(4), easy.path(1)));
  CHECK_THROWS_AS(hard_link_images(all, {1}, scratch.path / "easy/train"), IoError);  // is there

  // Of one name in two folders of a class, and one that is a link itself.
  write_bytes(scratch.path / "deep/train/ant/1/a.jpg", gray_jpeg(9));
  write_bytes(scratch.path / "deep/train/ant/2/a.jpg", gray_jpeg(99));
  fs::create_symlink("1/a.jpg", scratch.path / "deep/train/ant/b.jpg");
  const ImageFolder deep(scratch.path / "deep", Split::train, "deep", options_for(16));
  hard_link_images(deep, {0, 1, 2}, scratch.path / "some/train");
  const ImageFolder some(scratch.path / "some", Split::train, "some", options_for(16));
  REQUIRE(some.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(some.get(i).pixels == deep.get(i).pixels);
}

TEST_CASE("the first classes of a set", "[images]") {
  const TemporaryFolder scratch;
  make_folder(scratch.path);
  write_bytes(scratch.path / "train/cow/1.jpg", gray_jpeg(70));
  const auto set =
      std::make_shared<ImageFolder>(scratch.path, Split::train, "things", options_for(16));
  const DatasetPtr two = first_classes(set, 2);
  CHECK(two->size() == 5);
  CHECK(two->classes() == 2);
  CHECK(two->class_names() == std::vector<std::string>{"ant", "bee"});
  CHECK(first_classes(set, 3) == set);
  CHECK_THROWS_AS(first_classes(set, 0), ValueError);
  // Of a subset in another order.
  const auto some =
      first_classes(std::make_shared<Subset>(set, std::vector<std::int64_t>{5, 4, 0}), 2);
  REQUIRE(some->size() == 2);
  CHECK(some->label(0) == 1);
  CHECK(some->get(1).pixels == set->get(0).pixels);
}

TEST_CASE("broken images are left out of their batches, or end the epoch", "[images][loader]") {
  const TemporaryFolder scratch;
  for (int i = 0; i < 10; ++i) {
    auto file = gray_jpeg(20 * i);
    if (i == 3 || i == 4) file.resize(file.size() / 2);
    write_bytes(scratch.path / fmt::format("train/{}/x.jpg", i), file);
  }
  const auto set = std::make_shared<ImageFolder>(scratch.path, Split::train, "x", options_for(8));
  for (const int workers : {0, 2}) {
    CAPTURE(workers);
    std::mutex mutex;
    std::vector<std::string> told;
    LoaderOptions options{.batch_size = 2, .shuffle = false, .workers = workers};
    options.skip_broken = [&](const std::string& message) {
      const std::lock_guard lock(mutex);
      told.push_back(message);
    };
    Loader loader(set, options, reference_backend());
    loader.start_epoch(0);
    std::vector<std::int64_t> seen;
    while (const auto batch = loader.next()) {
      const auto labels = batch->labels.to_vector<std::int64_t>();
      REQUIRE(labels == batch->indices);  // class i holds image i
      REQUIRE(batch->images.shape() == Shape{std::ssize(labels), 3, 8, 8});
      const auto pixels = batch->images.to_vector<float>();
      for (std::size_t i = 0; i < labels.size(); ++i) {
        CHECK(std::abs(pixels[i * 192] - 20.0f * static_cast<float>(labels[i])) < 3.0f);
      }
      seen.insert(seen.end(), labels.begin(), labels.end());
    }
    CHECK(seen == std::vector<std::int64_t>{0, 1, 2, 5, 6, 7, 8, 9});
    REQUIRE(told.size() == 2);
    CHECK_THAT(told[0] + told[1], contains("3/x.jpg") && contains("4/x.jpg"));

    Loader strict(set, {.batch_size = 2, .shuffle = false, .workers = workers},
                  reference_backend());
    strict.start_epoch(0, 1);
    CHECK_THROWS_AS(strict.next(), ImageError);
    // A batch of nothing cannot be handed out.
    Loader only(std::make_shared<Subset>(set, std::vector<std::int64_t>{3, 4}), options,
                reference_backend());
    only.start_epoch(0);
    CHECK(only.next()->indices.empty());
  }
}

}  // namespace cograd::testing
