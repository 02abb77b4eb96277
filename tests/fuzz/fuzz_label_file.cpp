#include <cstdlib>

#include "cograd/data/label_file.h"
#include "cograd/engine/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/labelled_set.h"

/// Labels that can be learned, or an example without one.
void cograd::fuzz::read_untrusted(const std::filesystem::path& path) {
  const DatasetPtr data = testing::labelled_set(6, 3, {"cat", "dog", "fish"});
  const GivenLabels labels = read_given_labels(path, {}, *data);
  try {
    for (const std::int64_t label : labels.labels_of(*data)) {
      if (label < 0 || label >= data->classes()) std::abort();
    }
  } catch (const ValueError&) {
    return;
  }
}
