// The cuda backend's cross-entropy against the reference's.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/cuda_device.h"

namespace cograd::testing {

TEST_CASE("cuda cross-entropy equals the reference", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  Random random(81);
  for (const auto& [rows, classes] :
       {std::pair<std::int64_t, std::int64_t>{5, 2}, {7, 10}, {13, 131}}) {
    for (double smoothing : {0.0, 0.1}) {
      CAPTURE(rows, classes, smoothing);
      std::vector<std::int64_t> labels;
      for (std::int64_t n = 0; n < rows; ++n) {
        labels.push_back(
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes))));
      }
      // Around 100: the maximum has to be taken off before exp().
      const Tensor logits =
          normal({rows, classes}, random, reference_backend(), Dtype::f32, 4.0, 100.0);
      const Groups groups(rows, std::min<std::int64_t>(rows, 3));
      const auto run = [&](Backend& backend) {
        const Tensor on = Tensor::from(labels, {rows}, backend);
        CrossEntropyResult r = backend.cross_entropy(logits.to(backend), on, smoothing, groups);
        const Tensor dloss = Tensor::full({groups.count()}, 1.5, Dtype::f32, backend);
        return std::vector<Tensor>{
            r.loss, r.probabilities,
            backend.cross_entropy_backward(r.probabilities, on, smoothing, groups, dloss)};
      };
      const auto expected = run(reference_backend()), got = run(*cuda);
      for (std::size_t i = 0; i < got.size(); ++i) {
        CAPTURE(i);
        CHECK(relative_error(got[i], expected[i]) <= 2e-6);
      }
    }
  }
}

TEST_CASE("cuda cross-entropy of infinite logits is the reference's", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> values{-kInf, 0.0f,  1.0f,   // the label's is finite
                                  0.0f,  -kInf, 1.0f,   // the label's is not
                                  kInf,  0.0f,  1.0f,   //
                                  -kInf, -kInf, -kInf,  //
                                  NAN,   0.0f,  1.0f};
  const std::vector<std::int64_t> labels{1, 1, 0, 0, 2};
  const Groups groups(5, 5);
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    CAPTURE(smoothing);
    const auto run = [&](Backend& backend) {
      const Tensor on = Tensor::from(labels, {5}, backend);
      const Tensor logits = Tensor::from(values, {5, 3}, backend);
      const CrossEntropyResult r = backend.cross_entropy(logits, on, smoothing, groups);
      const Tensor dloss = Tensor::full({5}, 1.0, Dtype::f32, backend);
      std::vector<float> all = r.loss.to_vector<float>();
      for (const Tensor& t :
           {r.probabilities,
            backend.cross_entropy_backward(r.probabilities, on, smoothing, groups, dloss)}) {
        const std::vector<float> more = t.to_vector<float>();
        all.insert(all.end(), more.begin(), more.end());
      }
      return all;
    };
    const std::vector<float> expected = run(reference_backend()), got = run(*cuda);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i, got[i], expected[i]);
      if (std::isfinite(expected[i])) {
        CHECK(got[i] == Approx(expected[i]).margin(1e-6));
      } else {
        CHECK(std::isnan(got[i]) == std::isnan(expected[i]));
        CHECK(std::isinf(got[i]) == std::isinf(expected[i]));
      }
    }
  }
}

TEST_CASE("the loss of a label that is no class is NaN on cuda", "[cuda]") {
  Backend* cuda = device();
  if (cuda == nullptr) return;
  for (const std::int64_t label : {-1, 4}) {  // in memory, there is a logit at either
    const Tensor logits = Tensor::zeros({3, 4}, Dtype::f32, *cuda);
    const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, label, 3}, {3}, *cuda);
    const std::vector<float> loss =
        cuda->cross_entropy(logits, labels, 0.0, Groups(3, 3)).loss.to_vector<float>();
    CHECK(std::isfinite(loss[0]));
    CHECK(std::isnan(loss[1]));
    CHECK(std::isfinite(loss[2]));
  }
}

}  // namespace cograd::testing
