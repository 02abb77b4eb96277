// Files and names from elsewhere, and files that must be there after a crash.
#include "cograd/engine/file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "cograd/engine/error.h"
#include "cograd/engine/text.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace fs = std::filesystem;

TEST_CASE("only files are read, and nobody waits for a pipe", "[file]") {
  const TemporaryFolder folder;
  write_file(folder.path / "file", std::string("a\0b", 3));
  CHECK(read_file(folder.path / "file") == std::string("a\0b", 3));
  CHECK_THROWS_WITH(read_file(folder.path / "file", 2),
                    contains("has 3 bytes: expected at most 2"));
  CHECK_THROWS_WITH(read_file(folder.path / "none"), contains("No such file"));
  CHECK_THROWS_WITH(read_file(folder.path), contains("is a folder: expected a file"));
  CHECK_THROWS_WITH(read_file("/dev/null"), contains("/dev/null is a device"));
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(folder.path / "pipe"), contains("is a pipe"));
  fs::create_symlink("loop", folder.path / "loop");
  CHECK_THROWS_AS(read_file(folder.path / "loop"), IoError);
  fs::create_symlink("file", folder.path / "link");
  CHECK(read_file(folder.path / "link").size() == 3);
}

TEST_CASE("a file is replaced as a whole or not at all", "[file]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "file";
  write_file(path, "old");
  {
    OutputFile file(path);
    file.write("half of the n");
  }
  CHECK(read_file(path) == "old");
  CHECK_FALSE(fs::exists(path.string() + ".tmp"));
  write_file(path, "new");
  CHECK(read_file(path) == "new");
  CHECK_THROWS_AS(write_file(folder.path / "no" / "folder", "x"), IoError);
  CHECK_THROWS_AS(write_file("/dev/full", "x", Existing::write_through), IoError);
}

TEST_CASE("a link in the place of a file or of its temporary file is not followed", "[file]") {
  const TemporaryFolder folder;
  const fs::path outside = folder.path / "outside", inside = folder.path / "run";
  fs::create_directory(inside);
  write_file(outside, "precious");
  for (const char* name : {"file", "file.tmp"}) {
    fs::remove(inside / "file");
    fs::create_symlink("../outside", inside / name);
    write_file(inside / "file", "x");
    CHECK(read_file(outside) == "precious");
    CHECK(read_file(inside / "file") == "x");
    CHECK_FALSE(fs::is_symlink(inside / "file"));
  }
}

TEST_CASE("an output that a person names goes through links and pipes", "[file]") {
  const TemporaryFolder folder;
  const fs::path target = folder.path / "elsewhere" / "target";
  fs::create_directory(folder.path / "elsewhere");
  fs::create_symlink("elsewhere/target", folder.path / "link");
  fs::create_symlink("link", folder.path / "link to link");
  for (const char* content : {"made", "made again"}) {  // where nothing is, and where a file is
    write_file(folder.path / "link to link", content, Existing::write_through);
    CHECK(fs::is_symlink(folder.path / "link"));
    CHECK(read_file(target) == content);
  }
  const fs::path pipe = folder.path / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string got(16, '\0');
  std::thread reader([&] {
    const int in = ::open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t n = ::read(in, got.data(), got.size());
    got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    ::close(in);
  });
  write_file(pipe, "through", Existing::write_through);
  reader.join();
  CHECK(got == "through");
  CHECK(fs::is_fifo(pipe));
  CHECK_NOTHROW(write_file("/dev/null", "gone", Existing::write_through));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("names of any bytes become text", "[text]") {
  CHECK(printable("plain, \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80") ==
        "plain, \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(printable("c\xE4t") == "c\\xe4t");
  CHECK(printable("a\nb\r\t\x1B[31m\x7F") == "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  CHECK(printable("\xC2\x9B"
                  "2J") == "\\xc2\\x9b2J");  // CSI in one character
  CHECK(printable("\xE2\x80\xAE"
                  "gpj") == "\\xe2\\x80\\xaegpj");        // right to left
  CHECK(printable("\xE2\x80\xA8") == "\\xe2\\x80\\xa8");  // line separator
  CHECK(printable("\xC0\xAF \xE0\x80\xAF \xED\xA0\x80 \xF4\x90\x80\x80") ==
        "\\xc0\\xaf \\xe0\\x80\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
  CHECK(printable("\xE2\x82") == "\\xe2\\x82");  // cut off
  CHECK(printable("\xEF\xBF\xBF") == "\\xef\\xbf\\xbf");
}

TEST_CASE("every byte and every pair of bytes becomes text without control characters", "[text]") {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes{static_cast<char>(a), static_cast<char>(b)};
      const std::string text = printable(bytes);
      for (const char c : text) REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7F));
      REQUIRE(printable(text) == text);  // it is text already
    }
  }
}

}  // namespace cograd::testing
