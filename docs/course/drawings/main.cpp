// Writes the course's drawings into a folder, docs/course/drawings; with --check compares them with
// what is there. Usage: course_drawings [--check] FOLDER
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "cograd/engine/error.h"
#include "cograd/engine/file.h"
#include "docs/course/drawings/draw.h"

namespace {

struct NamedDrawing {
  const char* name;
  std::string (*draw)();
};
constexpr NamedDrawing kDrawings[] = {
    {"groups.svg", course::draw_groups},
    {"tape.svg", course::draw_small_tape},
    {"sharded_median.svg", course::draw_sharded_median},
    {"memory.svg", course::draw_memory},
};

int run(const std::filesystem::path& folder, bool check) {
  int stale = 0;
  for (const NamedDrawing& drawing : kDrawings) {
    const std::filesystem::path file = folder / drawing.name;
    const std::string svg = drawing.draw();
    if (!check) {
      cograd::write_file(file, svg);
    } else if (!std::filesystem::exists(file) || cograd::read_file(file) != svg) {
      fmt::print("{} is not what the engine does: course_drawings {} draws it anew\n",
                 file.string(), folder.string());
      ++stale;
    }
  }
  if (check && stale == 0) fmt::print("{} drawings are up to date\n", std::size(kDrawings));
  return stale == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const bool check = argc == 3 && std::string_view(argv[1]) == "--check";
  if (argc != (check ? 3 : 2)) {
    fmt::print(stderr, "usage: course_drawings [--check] FOLDER\n");
    return 2;
  }
  return run(argv[argc - 1], check);
} catch (const std::exception& error) {
  fmt::print(stderr, "course_drawings: error: {}\n", error.what());
  return 1;
}
