// Which files of an image folder count, by torchvision's rules, and the file that remembers them.
#include "cograd/data/image_index.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cograd/data/checksum.h"
#include "cograd/data/image_folder.h"
#include "cograd/data/image_scan.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/image_samples.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

void touch(const fs::path& path) { write_bytes(path, {1}); }

/// Until a folder is two seconds old its index is made anew.
void make_old(const fs::path& folder) {
  const auto past = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory()) fs::last_write_time(entry.path(), past);
  }
}

std::vector<std::string> paths_of(const ImageIndex& index) {
  std::vector<std::string> paths;
  for (const ImageIndex::Class& c : index.classes) {
    for (const ImageIndex::Folder& folder : c.folders) {
      for (const ImageIndex::File& f : folder.files) {
        paths.push_back((fs::path(c.name) / folder.path / f.name).native());
      }
    }
  }
  return paths;
}

std::vector<std::string> scanned(const fs::path& folder) {
  return paths_of(scan_image_folder(folder));
}

ImageFolder open(const fs::path& root, Split split = Split::train) {
  return {root, split, "things", {.transform = {.resize = 8, .crop = 8}}};
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What is read of these lines once their checksum is right.
void parse(const std::string& lines) {
  parse_image_index(fmt::format("{}checksum {}\n", lines, checksum_of(lines)), "i");
}

}  // namespace

TEST_CASE("images of a class are found as torchvision finds them", "[images][folders]") {
  const TemporaryFolder scratch;
  const fs::path root = scratch.path / "train";
  // In the order of torchvision.datasets.ImageFolder: by folder, then by name, as bytes.
  const std::vector<std::string> expected{"Zebra/a.jpg",        "ant/B.JPG",        "ant/a.jpeg",
                                          "ant/b.PNG",          "ant/1/z.jpg",      "ant/1-2/z.jpg",
                                          "ant/1/x/y/a.jpg",    "ant/images/a.jpg", "c\xe4t/a.jpg",
                                          "line\nbreak/a\n.jpg"};
  for (const std::string& path : expected) touch(root / path);
  for (const char* other : {"ant/notes.txt", "ant/1/labels.csv", "ant/jpg", "readme.md"}) {
    touch(root / other);
  }
  fs::create_directories(root / "ant/empty/still empty");
  CHECK(scanned(root) == expected);
}

TEST_CASE("what archives and systems leave is no class and no image", "[images][folders]") {
  const TemporaryFolder scratch;
  const fs::path root = scratch.path / "train";
  touch(root / "ant/a.jpg");
  touch(root / "bee/a.jpg");
  for (const char* junk :
       {"__MACOSX/ant/._a.jpg", "__MACOSX/a.jpg", "._ant/x.jpg", ".DS_Store", ".Trashes/a.jpg",
        ".ipynb_checkpoints/a.jpg", "ant/._a.jpg", "ant/.DS_Store", "ant/Thumbs.db",
        "ant/desktop.ini", "ant/__MACOSX/b.jpg", "ant/@eaDir/a.jpg/SYNOPHOTO_THUMB.jpg",
        "lost+found/a.jpg", "$RECYCLE.BIN/a.jpg", "System Volume Information/a.jpg"}) {
    touch(root / junk);
  }
  CHECK(scanned(root) == std::vector<std::string>{"ant/a.jpg", "bee/a.jpg"});
  for (int round = 0; round < 2; ++round) {  // the second one from the cached index
    make_old(scratch.path);
    const ImageFolder set = open(scratch.path);
    CHECK(set.classes() == 2);
    REQUIRE(set.notes().size() == 1);
    CHECK_THAT(set.notes()[0], contains("10 entries are left out"));
  }
}

TEST_CASE("a class without images is named", "[images][folders]") {
  const TemporaryFolder scratch;
  touch(scratch.path / "train/ant/a.jpg");
  touch(scratch.path / "train/dog/a.jpg");
  fs::create_directories(scratch.path / "train/cow");
  CHECK_THROWS_AS(open(scratch.path), FormatError);
  CHECK_THROWS_WITH(open(scratch.path), contains("the class cow in") && contains("has no image"));
  touch(scratch.path / "train/cow/sub/a.webp");
  touch(scratch.path / "train/cow/b.WEBP");
  touch(scratch.path / "train/cow/c.bmp");
  CHECK_THROWS_WITH(open(scratch.path),
                    contains("the class cow") && contains("but 1 .bmp, 2 .webp"));
  fs::create_directories(scratch.path / "train/b\xe4r");
  CHECK_THROWS_WITH(open(scratch.path), contains("the classes b\\xe4r, cow") && contains("have"));
  fs::remove(scratch.path / "train/b\xe4r");
  touch(scratch.path / "train/cow/a.png");
  const ImageFolder set = open(scratch.path);
  CHECK(set.classes() == 3);
  REQUIRE(set.notes().size() == 1);
  CHECK_THAT(set.notes()[0], contains("1 .bmp, 2 .webp") && contains("things train"));

  // The test split may lack a class, but not have an empty one.
  touch(scratch.path / "val/dog/a.jpg");
  const ImageFolder val = open(scratch.path, Split::test);
  CHECK(val.label(0) == 2);
  REQUIRE(val.notes().size() == 1);
  CHECK_THAT(val.notes()[0], contains("2 of 3 classes have no images in val/: ant, cow"));
  fs::create_directories(scratch.path / "val/cow");
  CHECK_THROWS_WITH(open(scratch.path, Split::test), contains("the class cow"));
}

TEST_CASE("images outside of classes are told", "[images][folders]") {
  const TemporaryFolder scratch;
  touch(scratch.path / "train/a.jpg");
  CHECK_THROWS_WITH(open(scratch.path), contains("holds no folders, but 1 images"));
  touch(scratch.path / "train/ant/a.jpg");
  const ImageFolder set = open(scratch.path);
  CHECK(set.size() == 1);
  REQUIRE(set.notes().size() == 1);
  CHECK_THAT(set.notes()[0], contains("1 image is left out: in no folder"));
}

TEST_CASE("links in image folders are followed, or one line says why not", "[images][folders]") {
  const TemporaryFolder scratch;
  const fs::path train = scratch.path / "train";
  touch(scratch.path / "elsewhere/deep/a.jpg");
  touch(train / "ant/a.jpg");
  fs::create_directory_symlink(scratch.path / "elsewhere", train / "bee");
  fs::create_directory_symlink("../bee/deep", train / "ant/more");
  CHECK(scanned(train) ==
        std::vector<std::string>{"ant/a.jpg", "ant/more/a.jpg", "bee/deep/a.jpg"});
  const auto refused = [&](const fs::path& target, const fs::path& link, const std::string& why) {
    CAPTURE(link, why);
    fs::create_directory_symlink(target, link);
    CHECK_THROWS_WITH(open(scratch.path), contains(why) && !contains("filesystem error"));
    CHECK_THROWS_AS(open(scratch.path), Error);
    fs::remove(link);
  };
  refused("..", train / "ant/up", "ant/up is a link to a folder that it lies in");
  refused("../ant", train / "ant/self", "ant/self is a link to a folder that it lies in");
  // Those that are no folders are no classes.
  fs::create_symlink("nowhere", train / "ant/notes");
  fs::create_symlink("nowhere", train / "cow");
  fs::create_symlink("loop", train / "loop");
  CHECK(open(scratch.path).classes() == 2);
  CHECK_THAT(open(scratch.path).notes().at(0), contains("3 links are left out"));

  fs::rename(train, scratch.path / "real");
  refused("train", train, "Too many levels of symbolic links");
  refused("nowhere", train, "leads nowhere");
  refused("real", scratch.path / "val", "there is no folder train/");
}

TEST_CASE("the index is cached, checked and rebuilt", "[images][folders]") {
  const TemporaryFolder scratch;
  const fs::path train = scratch.path / "train", cache = scratch.path / "cache";
  for (const char* file :
       {"ant/a.jpg", "ant/b.jpg", "bee/1.jpg", "bee/x/2.jpg", "c\n\\/a\\n.jpg"}) {
    touch(train / file);
  }
  make_old(train);
  const ImageIndex scan = scan_image_folder(train);
  CHECK(parse_image_index(to_text(scan, 5), "x").index == scan);
  CHECK(parse_image_index(to_text(scan, 5), "x").scanned == 5);
  CHECK(open_image_index(train, cache) == scan);
  REQUIRE(fs::exists(cache));
  const std::int64_t when = parse_image_index(content_of(cache), "x").scanned;

  // It is used: a size that is changed in it comes back.
  ImageIndex changed = scan;
  changed.classes[0].folders[0].files[0].bytes = 4711;
  const std::string changed_text = to_text(changed, when);
  std::ofstream(cache) << changed_text;
  CHECK(open_image_index(train, cache) == changed);

  const auto rebuilt = [&](const std::string& content) {
    CAPTURE(content);
    std::ofstream(cache) << content;
    CHECK(open_image_index(train, cache) == scan);
    CHECK(parse_image_index(content_of(cache), "x").index == scan);
  };
  for (std::size_t length = 0; length < changed_text.size(); length += 7) {
    rebuilt(changed_text.substr(0, length));
  }
  for (std::size_t at = 0; at < changed_text.size(); at += 7) {
    std::string flipped = changed_text;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    rebuilt(flipped);
  }
  rebuilt("cograd image index 1\nclass 0 1 ant\n");
  rebuilt(changed_text + "class x\n");
  // A folder that changed within the step of its date may have changed again since.
  const auto date = scan.classes[0].folders[0].modified;
  rebuilt(to_text(changed, date));
  fs::remove(cache);
  fs::create_directory(cache);  // where it cannot be written there is none
  CHECK(open_image_index(train, cache) == scan);
  CHECK(open_image_index(train, "/proc/no/cache") == scan);
}

TEST_CASE("a folder that changed is indexed anew", "[images][folders]") {
  const TemporaryFolder scratch;
  const fs::path train = scratch.path / "train", cache = scratch.path / "cache";
  for (const char* file : {"ant/a.jpg", "bee/1.jpg", "bee/x/y/2.jpg"}) touch(train / file);
  const auto now_holds = [&](const std::vector<std::string>& paths) {
    CHECK(paths_of(open_image_index(train, cache)) == paths);
    make_old(train);
    CHECK(paths_of(open_image_index(train, cache)) == paths);
  };
  now_holds({"ant/a.jpg", "bee/1.jpg", "bee/x/y/2.jpg"});
  touch(train / "bee/x/y/3.jpg");
  now_holds({"ant/a.jpg", "bee/1.jpg", "bee/x/y/2.jpg", "bee/x/y/3.jpg"});
  fs::rename(train / "bee/x/y", train / "bee/x/z");
  now_holds({"ant/a.jpg", "bee/1.jpg", "bee/x/z/2.jpg", "bee/x/z/3.jpg"});
  touch(train / "aaa/1.jpg");
  now_holds({"aaa/1.jpg", "ant/a.jpg", "bee/1.jpg", "bee/x/z/2.jpg", "bee/x/z/3.jpg"});
  fs::remove_all(train / "bee/x");
  fs::remove_all(train / "ant");
  now_holds({"aaa/1.jpg", "bee/1.jpg"});
  // What could not be read is looked at again, though no folder changes.
  fs::create_symlink(scratch.path / "late.jpg", train / "bee/2.jpg");
  make_old(train);
  CHECK(open_image_index(train, cache).classes[1].folders[0].files[1].bytes ==
        ImageIndex::kUnreadable);
  touch(scratch.path / "late.jpg");
  CHECK(open_image_index(train, cache).classes[1].folders[0].files[1].bytes == 1);
}

TEST_CASE("an index that no folder can have is refused, line by line", "[images][hostile]") {
  const std::string head = "cograd image index 2\nscanned 9\nleft_out 0 0 0\n";
  const std::string ant = head + "class ant\nfolder 1 5 \n7 5 a.jpg\n";
  CHECK_NOTHROW(parse(ant));
  CHECK_NOTHROW(
      parse(ant + "folder 1 -5 x/y\n7 -5 b.jpg\nclass bee\nunread 2 .gif\nfolder 0 5 \n"));
  for (const auto& [text, line] :
       {std::pair<std::string, std::string>{"", "line 1"},
        {"cograd image index 1\n", "line 1"},
        {"cograd image index 2\nscanned -1\n", "line 2"},
        {head + "klass ant\n", "line 4"},
        {head + "class ..\nfolder 0 5 \n", "line 4"},
        {head + "class a/b\nfolder 0 5 \n", "line 4"},
        {head + "class \nfolder 0 5 \n", "line 4"},
        {head + "class ant\n", "line 4"},
        {head + "class a\\x\nfolder 0 5 \n", "line 4"},
        {head + "class ant\nfolder 0 5 x\n", "line 5"},
        {head + "class ant\nfolder 99999999999999999999 5 \n", "line 5"},
        {head + "class ant\nfolder 1 5 \n", "line 6"},
        {head + "class ant\nfolder 1 5 \n-1 5 a.jpg\n", "line 6"},
        {head + "class ant\nfolder 1 5 \n1 5 ../bee/a.jpg\n", "line 6"},
        {head + "class ant\nfolder 1 5 \n1 5 a.txt\n", "line 6"},
        {head + "class ant\nfolder 1 5 \n1 5 .a.jpg\n", "line 6"},
        {head + "class ant\nfolder 1 5 \n1 x a.jpg\n", "line 6"},
        {head + "class ant\nfolder 2 5 \n1 5 b.jpg\n1 5 a.jpg\n", "line 7"},
        {ant + "folder 0 5 ../bee\n", "line 7"},
        {ant + "folder 0 5 /x\n", "line 7"},
        {ant + "folder 0 5 x/\n", "line 7"},
        {ant + "folder 0 5 b\nfolder 0 5 a\n", "line 8"},
        {ant + "class ant\nfolder 0 5 \n", "line 7"},
        {ant + "class aaa\nfolder 0 5 \n", "line 7"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parse(text), contains("i: " + line + ":"));
  }
  CHECK_THROWS_WITH(parse_image_index(ant, "i"), contains("i is damaged"));
}

}  // namespace cograd::testing
