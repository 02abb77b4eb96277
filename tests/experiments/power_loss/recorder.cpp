// To be preloaded into a program: after every fsync() and rename() it lays down what a disk would
// hold if the power failed then, as folders POWER_LOSS_STATES/NUMBER-KIND of POWER_LOSS_ROOT.
//
// "strict": what was written and not synced is gone, names that were made, changed or removed since
// their folder was synced are as before. "names": names are as they are, contents that were not
// synced are gone; file systems may do so after a rename.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>

namespace {

namespace fs = std::filesystem;

/// An inode, and how often its number had been given before: numbers are given again.
using Id = std::pair<ino_t, int>;
using Names = std::map<std::string, Id>;

std::map<ino_t, int> given;
std::map<Id, std::string> contents;  // of files, as last synced
std::map<Id, Names> folders;         // likewise
int states = 0;

Id id_of(const struct stat& status) { return {status.st_ino, given[status.st_ino]}; }

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Id id_of(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? id_of(status) : Id();
}

Names names_in(const fs::path& folder) {
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names[entry.path().filename()] = id_of(entry.path());
  }
  return names;
}

void lay_strict(const Id& folder, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& [name, id] : folders[folder]) {
    if (folders.contains(id)) {
      lay_strict(id, to / name);
    } else {
      std::ofstream(to / name, std::ios::binary) << contents[id];
    }
  }
}

void lay_names(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    if (entry.is_directory()) {
      lay_names(entry.path(), to / entry.path().filename());
    } else {
      std::ofstream(to / entry.path().filename(), std::ios::binary)
          << contents[id_of(entry.path())];
    }
  }
}

void lay_states() {
  const char *root = std::getenv("POWER_LOSS_ROOT"), *into = std::getenv("POWER_LOSS_STATES");
  if (root == nullptr || into == nullptr || !fs::exists(root)) return;
  char number[16];
  std::snprintf(number, sizeof(number), "%04d", states++);
  lay_strict(id_of(root), fs::path(into) / (std::string(number) + "-strict"));
  lay_names(root, fs::path(into) / (std::string(number) + "-names"));
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int fsync(int descriptor) {
  const int result = real<int(int)>("fsync")(descriptor);
  struct stat status {};
  if (result != 0 || ::fstat(descriptor, &status) != 0) return result;
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
  if (S_ISDIR(status.st_mode)) {
    folders[id_of(status)] = names_in(path);
  } else if (fs::exists(path)) {
    contents[id_of(status)] = content_of(path);
  }
  lay_states();
  return result;
}

extern "C" int rename(const char* from, const char* to) noexcept {
  const int result = real<int(const char*, const char*)>("rename")(from, to);
  if (result == 0) lay_states();
  return result;
}

extern "C" int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const int result = real<int(const char*, int, ...)>("open")(path, flags, mode);
  struct stat status {};
  const bool made = result >= 0 && (flags & O_EXCL) != 0 && ::fstat(result, &status) == 0;
  if (made) ++given[status.st_ino];
  return result;
}

extern "C" int mkdir(const char* path, mode_t mode) noexcept {
  const int result = real<int(const char*, mode_t)>("mkdir")(path, mode);
  struct stat status {};
  if (result == 0 && ::lstat(path, &status) == 0) {
    ++given[status.st_ino];
    folders[id_of(status)] = {};
  }
  return result;
}
