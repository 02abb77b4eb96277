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
    const auto found = kept_.lower_bound(bytes);
    if (found != kept_.end() && found->first <= bytes + bytes / 8) {
      const auto [size, block] = *found;
      kept_.erase(found);
      in_use_.emplace(block, size);
      return block;
    }
    void* block = system_take_(bytes);
    if (block == nullptr) {
      for (const auto& [size, kept] : kept_) system_give_(kept);
      kept_.clear();
      block = system_take_(bytes);
    }
    if (block != nullptr) in_use_.emplace(block, bytes);
    return block;
  }
  void give(void* block) {
    const auto found = in_use_.find(block);
    if (found == in_use_.end()) return;
    kept_.emplace(found->second, block);
    in_use_.erase(found);
  }

 private:
  std::function<void*(std::size_t)> system_take_;
  std::function<void(void*)> system_give_;
  std::multimap<std::size_t, void*> kept_;
  std::unordered_map<void*, std::size_t> in_use_;
};
