// Which part of a study's runs this process does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cograd {

/// Shard `index` of `count`, from 1 on.
struct Shard {
  int index = 1, count = 1;

  bool whole() const { return count == 1; }
  bool has(std::size_t run) const {
    return run % static_cast<std::size_t>(count) == static_cast<std::size_t>(index - 1);
  }
};

/// "2/8"; "auto": of Slurm's job array, by its variables. Throws ValueError.
Shard parse_shard(std::string_view text);

}  // namespace cograd
