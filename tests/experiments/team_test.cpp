// What ranks hear of one another's errors.
#include "cograd/experiments/train/team.h"

#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "cograd/experiments/console/interruption.h"
#include "cograd/experiments/console/program_errors.h"
#include "cograd/experiments/train/diverged.h"
#include "tests/support/catch.h"
#include "tests/support/ranks_in_threads.h"

namespace cograd::testing {
namespace {

std::string kind_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Diverged& e) {
    return std::string("diverged: ") + e.what();
  } catch (const ImageError& e) {
    return std::string("image: ") + e.what();
  } catch (const Interrupted& e) {
    return "signal " + std::to_string(e.signal());
  } catch (const std::bad_alloc&) {
    return "memory";
  } catch (const SaidElsewhere&) {
    return "said elsewhere";
  } catch (const std::exception& e) {
    return e.what();
  }
}

/// What each of three ranks throws, and the exit status of a program that ends by it, when `part`
/// is done by all. "" and 0 for nothing.
struct Heard {
  std::vector<std::string> errors = std::vector<std::string>(3);
  std::vector<int> statuses = std::vector<int>(3);
};

template <class Part>
Heard heard(const Part& part) {
  SharedExchange shared(3);
  Heard all;
  std::vector<std::jthread> threads;
  for (int r = 0; r < 3; ++r) {
    threads.emplace_back([&, r] {
      const auto mine = static_cast<std::size_t>(r);
      all.statuses[mine] = report_errors("an expected complaint", [&] {
        Team team(std::make_unique<ThreadCommunicator>(shared, r), reference_backend());
        try {
          if (!team.together([&] { part(r); }, r == 0)) throw ValueError("rank 0's wish is lost");
        } catch (...) {
          all.errors[mine] = kind_of(std::current_exception());
          throw;
        }
      });
    });
  }
  threads.clear();
  return all;
}

using Errors = std::vector<std::string>;

}  // namespace

TEST_CASE("ranks whose parts succeed go on together", "[team]") {
  const Heard all = heard([](int) {});
  CHECK(all.errors == Errors{"", "", ""});
  CHECK(all.statuses == std::vector<int>{0, 0, 0});
}

TEST_CASE("all ranks throw what fails a run or interrupts it", "[team]") {
  CHECK(heard([](int r) {
          if (r == 2) throw ImageError("cat.jpg");
        }).errors == Errors(3, "image: cat.jpg"));
  CHECK(heard([](int r) {
          if (r > 0) throw Diverged(r, 7, "step " + std::to_string(r));
        }).errors == Errors(3, "diverged: step 1"));
  const Heard signalled = heard([](int r) {
    if (r == 1) throw Interrupted(15, "");
  });
  CHECK(signalled.errors == Errors(3, "signal 15"));
  CHECK(signalled.statuses == std::vector<int>(3, 128 + 15));
}

TEST_CASE("the first rank with any other error says it, and all end", "[team]") {
  CHECK(heard([](int r) {
          if (r == 1) throw std::bad_alloc();
        }).errors == Errors{"said elsewhere", "memory", "said elsewhere"});
  const Heard full = heard([](int r) {
    if (r > 0) throw IoError("disk " + std::to_string(r));
  });
  CHECK(full.errors == Errors{"said elsewhere", "disk 1", "said elsewhere"});
  CHECK(full.statuses == std::vector<int>(3, 1));
}

}  // namespace cograd::testing
