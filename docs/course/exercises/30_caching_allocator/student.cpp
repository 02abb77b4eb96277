#include <cstddef>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

class ToyAllocator {
 public:
  /// `take` returns null when there is no more.
  ToyAllocator(std::function<void*(std::size_t)> take, std::function<void(void*)> give)
      : system_take_(std::move(take)), system_give_(std::move(give)) {}

  void* take(std::size_t bytes) {
    return system_take_(bytes);  // yours: look among the kept blocks first
  }
  void give(void* block) {
    system_give_(block);  // yours: keep it
  }

 private:
  std::function<void*(std::size_t)> system_take_;
  std::function<void(void*)> system_give_;
};
