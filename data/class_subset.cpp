#include "data/class_subset.h"

#include "data/subset.h"
#include "engine/error.h"

namespace cograd {
namespace {

class FirstClasses final : public Dataset {
 public:
  FirstClasses(DatasetPtr base, std::int64_t count) : classes_(count) {
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < base->size(); ++i) {
      if (base->label(i) < count) indices.push_back(i);
    }
    examples_ = std::make_shared<Subset>(std::move(base), std::move(indices));
  }

  std::int64_t size() const override { return examples_->size(); }
  std::int64_t classes() const override { return classes_; }
  Shape image_shape() const override { return examples_->image_shape(); }
  std::string name() const override { return examples_->name(); }
  std::vector<std::string> class_names() const override {
    auto names = examples_->class_names();
    if (!names.empty()) names.resize(static_cast<std::size_t>(classes_));
    return names;
  }
  std::int64_t label(std::int64_t index) const override { return examples_->label(index); }
  void read(std::int64_t index, std::int64_t epoch, float* pixels) const override {
    examples_->read(index, epoch, pixels);
  }
  const ChannelStatistics* byte_scale() const override { return examples_->byte_scale(); }
  void read_bytes(std::int64_t index, std::uint8_t* bytes) const override {
    examples_->read_bytes(index, bytes);
  }

 private:
  DatasetPtr examples_;
  std::int64_t classes_;
};

}  // namespace

DatasetPtr first_classes(DatasetPtr base, std::int64_t count) {
  require<ValueError>(count >= 1, "[classes] expected at least 1 class of {}, not {}", base->name(),
                      count);
  if (count >= base->classes()) return base;
  return std::make_shared<FirstClasses>(std::move(base), count);
}

}  // namespace cograd
