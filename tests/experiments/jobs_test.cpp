// Messages of workers, shards and locks that several processes share.
#include <cstdlib>

#include "cograd/engine/error.h"
#include "cograd/experiments/grid/message.h"
#include "cograd/experiments/grid/run_queue.h"
#include "cograd/experiments/grid/shard.h"
#include "cograd/experiments/record/folder_lock.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

using namespace cograd;
using cograd::testing::contains;
using cograd::testing::TemporaryFolder;

TEST_CASE("messages survive a pipe in pieces", "[jobs]") {
  const std::vector<Message> sent{{Message::Kind::ready},
                                  {Message::Kind::advance, 300},
                                  {Message::Kind::note, 0, "two  words"},
                                  {Message::Kind::interrupted, 15, "after a checkpoint"}};
  std::string bytes;
  for (const Message& message : sent) bytes += encoded(message);
  for (std::size_t piece = 1; piece < bytes.size(); piece += 7) {
    MessageReader reader;
    std::vector<Message> got;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(bytes.substr(at, piece));
      while (const auto message = reader.next()) got.push_back(*message);
    }
    CHECK(got == sent);
  }
  for (const char* bad : {"\n", "x 1 \n", "a\n", "a 1\n", "a -1 \n", "a 1x \n", "run 1 \n"}) {
    CAPTURE(bad);
    MessageReader reader;
    reader.add(bad);
    CHECK_THROWS_AS(reader.next(), FormatError);
  }
  CHECK(encoded({Message::Kind::note, 0, "a\nb"}).find('\n') ==
        encoded({Message::Kind::note, 0, "a\nb"}).size() - 1);
}

TEST_CASE("shards share out every run once", "[jobs]") {
  for (std::size_t run = 0; run < 10; ++run) {
    int owners = 0;
    for (int i = 1; i <= 3; ++i) owners += parse_shard(std::to_string(i) + "/3").has(run) ? 1 : 0;
    CHECK(owners == 1);
  }
  for (const char* bad :
       {"", "1", "0/2", "3/2", "-1/2", "1/0", "1/2x", "a/b", "1/", "/2", "auto"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_shard(bad), ValueError);
  }
  ::setenv("SLURM_ARRAY_TASK_ID", "14", 1);
  ::setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
  ::setenv("SLURM_ARRAY_TASK_COUNT", "5", 1);
  ::setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
  const Shard shard = parse_shard("auto");
  for (const char* name : {"ID", "MIN", "COUNT", "STEP"}) {
    ::unsetenv((std::string("SLURM_ARRAY_TASK_") + name).c_str());
  }
  CHECK(shard.index == 3);
  CHECK(shard.count == 5);
}

TEST_CASE("shards of one study share a folder, others are refused", "[jobs]") {
  const TemporaryFolder folder;
  {
    const FolderLock first(folder.path, "a"), second(folder.path, "a");
    CHECK_THROWS_WITH(FolderLock(folder.path, "b"), contains("in use by shards of study a"));
    CHECK_THROWS_WITH(FolderLock(folder.path), contains("in use by shards of study a"));
  }
  CHECK(std::filesystem::is_empty(folder.path));
  const FolderLock whole(folder.path);
  CHECK_THROWS_WITH(FolderLock(folder.path, "a"), contains("in use by process"));
}

TEST_CASE("a list of runs is handed out once", "[jobs]") {
  ListQueue queue({4, 2});
  CHECK(queue.next() == std::size_t{4});
  CHECK(queue.next() == std::size_t{2});
  CHECK_FALSE(queue.next());
}
