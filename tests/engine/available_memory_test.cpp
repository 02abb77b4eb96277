// The memory that new processes may take, by files of /proc and of control groups.
#include "cograd/engine/available_memory.h"

#include <limits>

#include "tests/support/catch.h"
#include "tests/support/fake_root.h"

namespace cograd::testing {

TEST_CASE("memory: what the system has, where no group limits it", "[memory]") {
  const FakeRoot root;
  CHECK(available_memory(root.path()) == std::numeric_limits<double>::max());
  root.put("proc/meminfo", "MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\nX: y\n");
  CHECK(available_memory(root.path()) == 4096000.0);
  root.put("proc/self/mountinfo", kUnified);
  root.put("proc/self/cgroup", "0::/a\n");
  root.put("sys/fs/cgroup/a/memory.max", "max\n");
  root.put("sys/fs/cgroup/a/memory.current", "123\n");
  CHECK(available_memory(root.path()) == 4096000.0);
  CHECK(available_memory() > 0.0);
}

TEST_CASE("memory: version 2, what the fullest group has left", "[memory]") {
  const FakeRoot root;
  root.put("proc/meminfo", "MemAvailable: 4000 kB\n");
  root.put("proc/self/mountinfo", kUnified);
  root.put("proc/self/cgroup", "0::/pod/job\n");
  root.put("sys/fs/cgroup/pod/job/memory.max", "3000000\n");
  root.put("sys/fs/cgroup/pod/job/memory.current", "1000000\n");
  CHECK(available_memory(root.path()) == 2000000.0);
  root.put("sys/fs/cgroup/pod/job/memory.stat", "anon 5\nfile 700000\ninactive_file 500000\n");
  CHECK(available_memory(root.path()) == 2500000.0);
  root.put("sys/fs/cgroup/pod/memory.max", "5000000\n");
  root.put("sys/fs/cgroup/pod/memory.current", "4900000\n");
  CHECK(available_memory(root.path()) == 100000.0);
  root.put("sys/fs/cgroup/pod/memory.current", "5100000\n");  // while it is reclaimed
  CHECK(available_memory(root.path()) == 0.0);
  root.put("sys/fs/cgroup/pod/memory.current", "");
  CHECK(available_memory(root.path()) == 2500000.0);
}

TEST_CASE("memory: version 1, as a container sees it", "[memory]") {
  const FakeRoot root;
  root.put("proc/meminfo", "MemAvailable: 4000 kB\n");
  root.put("proc/self/mountinfo",
           "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
           "33 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  root.put("proc/self/cgroup", "4:cpu:/docker/abc\n5:memory:/docker/abc\n");
  root.put("sys/fs/cgroup/cpu/memory.limit_in_bytes", "1\n");  // not of this controller
  root.put("sys/fs/cgroup/cpu/memory.usage_in_bytes", "0\n");
  root.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "2000000\n");
  CHECK(available_memory(root.path()) == 4096000.0);
  root.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n");
  CHECK(available_memory(root.path()) == 1000000.0);
  root.put("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 250000\n");
  CHECK(available_memory(root.path()) == 1250000.0);
}

}  // namespace cograd::testing
