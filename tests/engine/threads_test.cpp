// The pool of the CPU's loops, and how many threads it takes.
#include "cograd/engine/threads.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "cograd/engine/available_processors.h"
#include "cograd/engine/error.h"
#include "tests/support/catch.h"
#include "tests/support/fake_root.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/threads.h"

using namespace cograd;
using cograd::testing::FakeRoot;
using cograd::testing::kUnified;
using cograd::testing::TemporaryFolder;

TEST_CASE("every part of a loop is done once, whatever its thread does", "[threads]") {
  for (const std::int64_t parts : {1, 2, 3, 8}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(parts));
    constexpr int kLoops = 2000;
    for (int loop = 0; loop < kLoops; ++loop) {
      parallel(parts, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
      if (loop % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // all sleep
    }
    for (const std::atomic<int>& count : done) CHECK(count == kLoops);
  }
}

TEST_CASE("ranges cover all numbers below n without overlap", "[threads]") {
  const testing::Threads threads(3);
  for (const std::int64_t n : {0, 1, 2, 3, 7, 100}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(n));
    parallel_ranges(n, true, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
    });
    for (const std::atomic<int>& count : done) CHECK(count == 1);
  }
}

TEST_CASE("a loop within a loop, and loops of several threads at once", "[threads]") {
  std::atomic<int> done = 0;
  const auto nested = [&] {
    parallel(4, [&](std::int64_t) { parallel(3, [&](std::int64_t) { ++done; }); });
  };
  nested();
  CHECK(done == 12);
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) nested();
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(done == 12 * 301);
}

TEST_CASE("what a part throws reaches the caller, and the pool goes on", "[threads]") {
  for (const std::int64_t bad : {0, 1, 2}) {
    std::atomic<int> done = 0;
    const auto loop = [&](bool fail) {
      parallel(3, [&](std::int64_t i) {
        if (fail && i == bad) throw std::runtime_error("part");
        ++done;
      });
    };
    CHECK_THROWS_AS(loop(true), std::runtime_error);
    CHECK(done == 2);
    loop(false);
    CHECK(done == 5);
  }
}

TEST_CASE("the number of threads can be set", "[threads]") {
  const testing::Threads threads(thread_count());
  set_thread_count(5);
  CHECK(thread_count() == 5);
  for (const int bad : {0, -1, kMaxThreads + 1}) CHECK_THROWS_AS(set_thread_count(bad), ValueError);
  CHECK(thread_count() == 5);
}

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
namespace {

/// Exit status of a child of this process that runs `body`.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a process that is kept to one processor has one", "[threads]") {
  CHECK(in_child([] {
          cpu_set_t all, one;
          sched_getaffinity(0, sizeof all, &all);
          CPU_ZERO(&one);
          for (std::size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) {
            if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
          }
          sched_setaffinity(0, sizeof one, &one);
          return available_processors();
        }) == 1);
}

TEST_CASE("a child that was forked has loops without the threads of its parent", "[threads]") {
  parallel(3, [](std::int64_t) {});
  CHECK(in_child([] {
          std::atomic<int> done = 0;
          parallel(3, [&](std::int64_t) { ++done; });
          return done.load();
        }) == 3);
}

#if defined(_OPENMP) && !defined(__clang__)
TEST_CASE("a program is started again for OpenMP's threads to spin less, once", "[threads]") {
  // What libgomp says of itself when the child's program is loaded; empty if it is not started
  // again.
  const TemporaryFolder folder;
  const std::string file = (folder.path / "said").string();
  const auto said = [&](const char* variable, const char* value) {
    CHECK(in_child([&] {
            const int to = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
            if (dup2(to, 1) < 0 || dup2(to, 2) < 0) return 1;
            unsetenv("OMP_WAIT_POLICY");
            unsetenv("GOMP_SPINCOUNT");
            if (variable != nullptr) setenv(variable, value, 1);
            setenv("OMP_DISPLAY_ENV", "verbose", 1);
            char name[] = "a name", help[] = "--help";
            char* const argv[] = {name, help, nullptr};
            limit_spinning_of_openmp(argv);
            return 0;
          }) == 0);
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  };
  CHECK(said(nullptr, "").find("GOMP_SPINCOUNT = '1000'") != std::string::npos);
  CHECK(said("GOMP_SPINCOUNT", "7").empty());
  CHECK(said("OMP_WAIT_POLICY", "active").empty());
}
#endif
#endif

namespace {

std::optional<double> quota_in(const FakeRoot& root) { return cpu_quota(root.path()); }

}  // namespace

TEST_CASE("quota: version 2, the least of all groups above", "[threads]") {
  const FakeRoot root;
  CHECK(!quota_in(root));  // no /proc
  root.put("proc/self/mountinfo", kUnified);
  root.put("proc/self/cgroup", "0::/a/b/c\n");
  CHECK(!quota_in(root));
  root.put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  CHECK(!quota_in(root));
  root.put("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  CHECK(quota_in(root) == 1.5);
  root.put("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  CHECK(quota_in(root) == 1.5);
  root.put("sys/fs/cgroup/a/b/c/cpu.max", "20000 50000\n");
  CHECK(quota_in(root) == 0.4);
}

TEST_CASE("quota: version 1, beside version 2", "[threads]") {
  const FakeRoot root;
  root.put("proc/self/mountinfo",
           "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
           "33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
           "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  root.put("proc/self/cgroup", "3:cpuset:/x\n2:cpu,cpuacct:/user/job\n0::/elsewhere\n");
  const std::string job = "sys/fs/cgroup/cpu,cpuacct/user/job/";
  root.put(job + "cpu.cfs_quota_us", "-1\n");
  root.put(job + "cpu.cfs_period_us", "100000\n");
  CHECK(!quota_in(root));
  root.put(job + "cpu.cfs_quota_us", "250000\n");
  CHECK(quota_in(root) == 2.5);
  root.put("sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "100000\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "50000\n");
  CHECK(quota_in(root) == 2.0);
  root.put("sys/fs/cgroup/unified/elsewhere/cpu.max", "100000 100000\n");
  CHECK(quota_in(root) == 1.0);
}

TEST_CASE("quota: a container sees its own group as the top", "[threads]") {
  const FakeRoot root;
  root.put("proc/self/mountinfo",
           "32 31 0:29 /docker/abc /sys/fs/cgroup/my\\040cpu ro - cgroup cgroup rw,cpu\n");
  root.put("proc/self/cgroup", "4:cpu:/docker/abc\n");
  root.put("sys/fs/cgroup/my cpu/cpu.cfs_quota_us", "300000\n");
  root.put("sys/fs/cgroup/my cpu/cpu.cfs_period_us", "100000\n");
  CHECK(quota_in(root) == 3.0);
  root.put("proc/self/cgroup", "4:cpu:/docker/abc/inner\n");
  root.put("sys/fs/cgroup/my cpu/inner/cpu.cfs_quota_us", "50000\n");
  root.put("sys/fs/cgroup/my cpu/inner/cpu.cfs_period_us", "100000\n");
  CHECK(quota_in(root) == 0.5);
  // Paths that the mount does not show count as its top.
  for (const char* outside : {"4:cpu:/docker/abcd\n", "4:cpu:/../other\n", "4:cpu:/\n", ""}) {
    root.put("proc/self/cgroup", outside);
    CHECK(quota_in(root) == 3.0);
  }
}

TEST_CASE("quota: what cannot be read sets no limit", "[threads]") {
  const FakeRoot root;
  root.put("proc/self/mountinfo", std::string(kUnified) + "\nx\n - \n1 2 3 - cgroup2\n");
  root.put("proc/self/cgroup", "0\n:\n0:\n0::/a\n");
  for (const char* text : {"", "max", "x y", "-5 100000", "100000", "100000 0", "nan 100000"}) {
    root.put("sys/fs/cgroup/a/cpu.max", text);
    CHECK(!quota_in(root));
  }
}
