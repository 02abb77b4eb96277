#include "cograd/experiments/grid/shard.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "cograd/engine/error.h"
#include "cograd/engine/parallel/launch_environment.h"
#include "cograd/engine/text.h"

namespace cograd {
namespace {

constexpr int kMostShards = 1'000'000;

Shard shard_of_slurm() {
  const std::optional<int> id = number_in("SLURM_ARRAY_TASK_ID");
  const std::optional<int> count = number_in("SLURM_ARRAY_TASK_COUNT");
  const std::optional<int> first = number_in("SLURM_ARRAY_TASK_MIN");
  const int step = number_in("SLURM_ARRAY_TASK_STEP").value_or(1);
  require<ValueError>(id && count && first,
                      "[--shard] auto: expected SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_COUNT and "
                      "SLURM_ARRAY_TASK_MIN, as in a job array of Slurm");
  const bool sane = step > 0 && *id >= *first && (*id - *first) % step == 0 &&
                    (*id - *first) / step < *count && *count <= kMostShards;
  require<ValueError>(sane, "[--shard] auto: task {} of {} from {} on in steps of {} is none", *id,
                      *count, *first, step);
  return {(*id - *first) / step + 1, *count};
}

}  // namespace

Shard parse_shard(std::string_view text) {
  if (text == "auto") return shard_of_slurm();
  Shard shard{0, 0};
  const char* const end = text.data() + text.size();
  const auto [slash, bad_index] = std::from_chars(text.data(), end, shard.index);
  bool good = bad_index == std::errc() && slash != end && *slash == '/';
  if (good) {
    const auto [rest, bad_count] = std::from_chars(slash + 1, end, shard.count);
    good = bad_count == std::errc() && rest == end && shard.count <= kMostShards &&
           shard.index >= 1 && shard.index <= shard.count;
  }
  require<ValueError>(
      good, "[--shard] '{}' is no shard: expected I/N with I from 1 to N, as 1/4, or auto",
      printable(text));
  return shard;
}

}  // namespace cograd
