// Text files of others: line ends, encodings, and what a file is that is no text.
#include "cograd/data/text_lines.h"

#include "cograd/engine/content_kind.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"

namespace cograd::testing {

using Lines = std::vector<std::string>;

TEST_CASE("lines come without their ends and marks", "[text]") {
  CHECK(text_lines("a\nb c\n", "t") == Lines{"a", "b c"});
  CHECK(text_lines("a\r\nb\r\n", "t") == Lines{"a", "b"});
  CHECK(text_lines("a\n\nb", "t") == Lines{"a", "", "b"});
  CHECK(text_lines("\xEF\xBB\xBFk\xC3\xA4se\n", "t") == Lines{"k\xC3\xA4se"});
  CHECK(text_lines("k\xE4se\n", "t") == Lines{"k\xE4se"});  // Latin-1: bytes as they are
  CHECK(text_lines("", "t").empty());
}

TEST_CASE("UTF-16 becomes UTF-8", "[text]") {
  using namespace std::string_literals;
  const Lines expected{"k\xC3\xA4se", "\xE2\x82\xAC\xF0\x9F\x90\x88"};  // a euro and a cat
  CHECK(text_lines("\xFF\xFEk\0\xE4\0s\0e\0\r\0\n\0\xAC\x20\x3D\xD8\x08\xDC\n\0"s, "t") ==
        expected);
  CHECK(text_lines("\xFE\xFF\0k\0\xE4\0s\0e\0\n\x20\xAC\xD8\x3D\xDC\x08"s, "t") == expected);
  for (const std::string& broken : {"\xFF\xFEk"s, "\xFF\xFE\x3D\xD8"s, "\xFF\xFE\x3D\xD8k\0"s,
                                    "\xFF\xFE\x08\xDCk\0"s, "k\0a\0"s, "\xFF\xFE\0\0"s}) {
    CAPTURE(broken);
    CHECK_THROWS_AS(text_lines(broken, "t"), FormatError);
  }
  CHECK_THROWS_WITH(text_lines("k\0a\0"s, "t.txt"), contains("t.txt") && contains("UTF-16"));
}

TEST_CASE("files of other kinds are called by their names", "[text]") {
  CHECK(what_it_is("\x1F\x8B\x08") == "it is compressed by gzip");
  CHECK(what_it_is("\x80\x04\x95") == "it is a Python pickle");
  CHECK(what_it_is("<!DOCTYPE html>") == "it is a web page");
  CHECK(what_it_is("version https://git-lfs.github.com/spec/v1") ==
        "it is a pointer of Git LFS, not the file itself");
  CHECK(what_it_is("\n <html>") == "it is a web page");
  CHECK(what_it_is("{\"error\": 404}") == "it is JSON");
  CHECK(what_it_is("n01440764 t\xC3\xA4nch\n") == "it is text");
  CHECK(what_it_is("") == "it is empty");
  CHECK(what_it_is("\x03\x07") == "");
}

}  // namespace cograd::testing
