// The progress display.
#include "cograd/experiments/console/progress.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/support/catch.h"

using namespace cograd;
using cograd::testing::contains;

TEST_CASE("progress text fits its width", "[experiments]") {
  ProgressState state{.label = "m3 b30, 50 % noise", .done = 400000, .total = 1000000};
  state.rate = 13333.3;
  state.left = 45.0;
  CHECK(progress_line(state) == " 40 % m3 b30, 50 % noise  13.3k examples/s  45 s left");
  for (const int width : {0, 5, 30, 50, 80, 120}) {
    CAPTURE(width);
    CHECK(progress_bar(state, width).size() <= static_cast<std::size_t>(width));
  }
  CHECK_THAT(progress_bar(state, 120), contains("[################------------------------]"));
  CHECK_THAT(progress_bar(state, 80), contains("45 s left"));
  state.waiting = 0.154;
  CHECK(progress_line(state) ==
        " 40 % m3 b30, 50 % noise  13.3k examples/s  15 % waiting for data  45 s left");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(3725) == "1:02:05");
  CHECK(count_text(123.4) == "123");
}

TEST_CASE("the time left depends on the speed of each aggregator", "[experiments]") {
  TimeLeft time({{"mean", 1000, 0.001}, {"slow", 100, 0.013}, {"mean", 1000, 0.001}});
  CHECK(time.seconds() == Approx(1.0 + 1.3 + 1.0));  // as expected
  time.spent(0, 500, 1.0);                           // twice as slow: the others will be, too
  CHECK(time.rate(0) == Approx(500.0));
  CHECK(time.rate(2) == Approx(500.0));  // of one kind
  CHECK(time.rate(1) == 0.0);
  CHECK(time.seconds() == Approx(1.0 + 2.6 + 2.0));
  time.dropped(0, 500);  // taken up from a checkpoint
  time.spent(1, 50, 5.0);
  CHECK(time.seconds() == Approx(5.0 + 2.0));
  TimeLeft unknown({{"a", 100}, {"b", 300}});
  CHECK(unknown.seconds() == 0.0);
  unknown.spent(0, 50, 2.0);
  CHECK(unknown.seconds() == Approx(2.0 + 12.0));
}

TEST_CASE("progress into a file is plain lines, one for each tenth", "[experiments]") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  {
    ProgressDisplay display({{"work", 1000}}, file);
    RunProgress progress(display, 0, "work");
    for (int i = 0; i < 1000; ++i) progress.advance(1);
  }
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  CHECK(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  CHECK(text.find('\r') == std::string::npos);
  CHECK_THAT(text, contains("100 % work"));
}
