#include "cograd/data/class_subset.h"

#include "cograd/data/subset.h"
#include "cograd/engine/error.h"

namespace cograd {
namespace {

DatasetPtr examples_of_first_classes(DatasetPtr base, std::int64_t count) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < base->size(); ++i) {
    if (base->label(i) < count) indices.push_back(i);
  }
  return std::make_shared<Subset>(std::move(base), std::move(indices));
}

class FirstClasses final : public DecoratedDataset {
 public:
  FirstClasses(DatasetPtr base, std::int64_t count)
      : DecoratedDataset(examples_of_first_classes(std::move(base), count)), classes_(count) {}

  std::int64_t classes() const override { return classes_; }
  std::vector<std::string> class_names() const override {
    auto names = base().class_names();
    if (!names.empty()) names.resize(static_cast<std::size_t>(classes_));
    return names;
  }

 private:
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
