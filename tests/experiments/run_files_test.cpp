// What keeps a run's files whole: locks, checksums, files that are taken up again, strict tables.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "cograd/data/checksum.h"
#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "cograd/experiments/record/append_file.h"
#include "cograd/experiments/record/checksums.h"
#include "cograd/experiments/record/csv.h"
#include "cograd/experiments/record/folder_lock.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace cograd::testing {
namespace {

namespace fs = std::filesystem;

/// Runs `body` in a process of its own; its exit status.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int try_lock(const fs::path& folder) {
  try {
    const FolderLock lock(folder);
    return 0;
  } catch (const IoError&) {
    return 1;
  }
}

}  // namespace

TEST_CASE("a folder has one writer, who is named to the second", "[lock]") {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path);
    CHECK(in_child([&] { return try_lock(folder.path); }) == 1);
    CHECK_THROWS_WITH(FolderLock(folder.path),
                      contains("is in use by process " + std::to_string(::getpid()) + " on "));
    CHECK(fs::exists(folder.path / ".lock"));  // the refused one has left it alone
  }
  CHECK_FALSE(fs::exists(folder.path / ".lock"));
  CHECK(in_child([&] { return try_lock(folder.path); }) == 0);
  CHECK_THROWS_AS(FolderLock(folder.path / "none"), IoError);
}

TEST_CASE("who crashed holds no folder", "[lock]") {
  const TemporaryFolder folder;
  const int status = in_child([&] {
    new FolderLock(folder.path);  // never to be destroyed
    return ::kill(::getpid(), SIGKILL);
  });
  CHECK(status == 128 + SIGKILL);
  CHECK(fs::exists(folder.path / ".lock"));
  CHECK_NOTHROW(FolderLock(folder.path));
}

TEST_CASE("many that want a folder have it one after the other", "[lock]") {
  const TemporaryFolder folder;
  constexpr int kProcesses = 6, kTurns = 200;
  write_file(folder.path / "count", "0");
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int turn = 0; turn < kTurns;) {
        try {
          const FolderLock lock(folder.path);
          const int count = std::stoi(read_file(folder.path / "count"));
          AppendFile::create(folder.path / "count").write(std::to_string(count + 1));
          ++turn;
        } catch (const IoError&) {
          ::usleep(100);
        }
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(read_file(folder.path / "count") == std::to_string(kProcesses * kTurns));
}

TEST_CASE("a lock file that others laid is not written through", "[lock][hostile]") {
  const TemporaryFolder folder;
  const fs::path lock = folder.path / ".lock", other = folder.path / "other";
  write_file(other, "precious");
  fs::create_symlink("other", lock);
  CHECK_THROWS_AS(FolderLock(folder.path), IoError);
  fs::remove(lock);
  fs::create_hard_link(other, lock);
  CHECK_THROWS_WITH(FolderLock(folder.path), contains("no file of its own"));
  fs::remove(lock);
  REQUIRE(::mkfifo(lock.c_str(), 0600) == 0);
  CHECK_THROWS_AS(FolderLock(folder.path), IoError);
  CHECK(read_file(other) == "precious");
}

TEST_CASE("a file is taken up where it stood, or refused", "[output]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "rows.csv";
  FileState state;
  {
    AppendFile file = AppendFile::create(path);
    file.write("head\n1\n");
    state = file.sync();
    file.write("2\n");
    file.flush();
    file.write("3");  // cut off
  }
  CHECK(state.length == 7);
  CHECK(state.checksum == checksum_of("head\n1\n"));
  {
    AppendFile file = AppendFile::resume(path, state);
    file.write("two\n");
    CHECK(file.sync().checksum == checksum_of("head\n1\ntwo\n"));
  }
  CHECK(read_file(path) == "head\n1\ntwo\n");
  for (std::size_t byte = 0; byte < state.length; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = "head\n1\ntwo\n";
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
      write_file(path, damaged);
      REQUIRE_THROWS_WITH(AppendFile::resume(path, state), contains("is damaged or was changed"));
      REQUIRE(read_file(path) == damaged);  // untouched
    }
  }
  write_file(path, "head");
  CHECK_THROWS_WITH(AppendFile::resume(path, state), contains("shorter than at the checkpoint"));
}

TEST_CASE("no file outside is cut because a run is taken up", "[output][hostile]") {
  const TemporaryFolder folder;
  const fs::path outside = folder.path / "outside", path = folder.path / "train.csv";
  write_file(outside, "precious, and long");
  const FileState state{.length = 8, .checksum = checksum_of("precious")};
  fs::create_symlink("outside", path);
  CHECK_THROWS_AS(AppendFile::resume(path, state), IoError);
  fs::remove(path);
  fs::create_hard_link(outside, path);
  CHECK_THROWS_WITH(AppendFile::resume(path, state), contains("not a file of the run's own"));
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK_THROWS_AS(AppendFile::resume(path, state), IoError);
  fs::remove(path);
  fs::create_symlink("outside", path);
  AppendFile::create(path).write("x");  // takes the link's place
  CHECK(read_file(outside) == "precious, and long");
}

TEST_CASE("checksums tell which file of a folder was changed", "[output]") {
  const TemporaryFolder folder;
  write_file(folder.path / "a.csv", "1,2\n");
  write_file(folder.path / "c\xE4.csv", "any bytes");
  write_file(folder.path / "w.safetensors", "large");
  write_checksums(folder.path);
  CHECK(read_file(folder.path / kChecksumsFile).find(checksum_of("1,2\n") + "  a.csv\n") !=
        std::string::npos);
  CHECK_NOTHROW(check_checksums(folder.path, true));
  write_file(folder.path / "w.safetensors", "Large");
  CHECK_NOTHROW(check_checksums(folder.path, false));
  CHECK_THROWS_WITH(check_checksums(folder.path, true), contains("w.safetensors is damaged"));
  write_file(folder.path / "a.csv", "1,3\n");
  CHECK_THROWS_WITH(check_checksums(folder.path, false), contains("a.csv is damaged"));
  fs::remove(folder.path / "a.csv");
  CHECK_THROWS_WITH(check_checksums(folder.path, false), contains("a.csv is missing"));
  write_file(folder.path / "a.csv", "1,2\n");
  write_file(folder.path / "new.csv", "");
  CHECK_THROWS_WITH(check_checksums(folder.path, false), contains("new.csv is not in the list"));
  write_file(folder.path / kChecksumsFile, "short\n");
  CHECK_THROWS_WITH(check_checksums(folder.path, false), contains("checksums.txt is damaged"));
  fs::remove(folder.path / kChecksumsFile);
  CHECK_THROWS_AS(check_checksums(folder.path, false), IoError);
}

TEST_CASE("the checksum is XXH3 of 128 bits", "[output]") {
  // As xxhsum -H2 prints it.
  CHECK(checksum_of("") == "99aa06d3014798d86001c324468d497f");
  CHECK(checksum_of("abc") == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("tables are read to the last character or refused", "[output]") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "t.csv";
  const auto read = [&](const std::string& content) {
    write_file(path, content);
    double sum = 0.0;
    for (CsvRows rows(path, "epoch,loss"); rows.next();) {
      sum += static_cast<double>(rows.integer(0, 0, 9)) + rows.number(1);
    }
    return sum;
  };
  CHECK(read("epoch,loss\n") == 0.0);
  CHECK(read("epoch,loss\n1,0.5\n2,1e1\n") == 13.5);
  for (const char* bad : {"",
                          "epoch,loss",
                          "epoch;loss\n",
                          "epoch,loss,x\n",
                          "epoch,loss\n1,0.5",
                          "epoch,loss\n1\n",
                          "epoch,loss\n1,0.5,\n",
                          "epoch,loss\n1,\n",
                          "epoch,loss\n1,0.5x\n",
                          "epoch,loss\n1,nan\n",
                          "epoch,loss\n1,inf\n",
                          "epoch,loss\n1,0x1\n",
                          "epoch,loss\n 1,2\n",
                          "epoch,loss\n-1,2\n",
                          "epoch,loss\n10,2\n",
                          "epoch,loss\n1.0,2\n",
                          "epoch,loss\n99999999999999999999,2\n",
                          "epoch,loss\n1,0.5\r\n",
                          "epoch,loss\n\n",
                          "epoch,loss\n1,1e999\n"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(read(bad), FormatError);
  }
}

}  // namespace cograd::testing
