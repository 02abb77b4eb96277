// Softmax cross-entropy of logits [N, C]; p = softmax(logits), t = (1 - e) one-hot + e / C.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

namespace cograd {

using reference::dispatch;

namespace {

/// A logit of minus infinity that has no weight adds nothing.
double weighted(double weight, double log_odds) { return weight == 0.0 ? 0.0 : weight * log_odds; }

}  // namespace

// loss[g] = - 1/B_g sum over n in g, c of t log p,  log p = z - max z - log sum exp(z - max z)
CrossEntropyResult ReferenceBackend::cross_entropy(const Tensor& logits, const Tensor& labels,
                                                   double smoothing, const Groups& groups) {
  const std::int64_t classes = logits.size(1);
  CrossEntropyResult result{Tensor::zeros({groups.count()}, logits.dtype(), *this),
                            Tensor::empty(logits.shape(), logits.dtype(), *this)};
  std::vector<double> exponentials(static_cast<std::size_t>(classes));
  dispatch("cross_entropy", logits.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      double loss = 0.0;
      for (std::int64_t n = r.begin; n < r.end; ++n) {
        const T* z = logits.data<T>() + n * classes;
        T* p = result.probabilities.data<T>() + n * classes;
        const double top = *std::max_element(z, z + classes);  // keeps exp() from overflowing
        double sum = 0.0, total = 0.0;
        for (std::int64_t c = 0; c < classes; ++c) {
          sum += exponentials[static_cast<std::size_t>(c)] = std::exp(z[c] - top);
          total += z[c] - top;
        }
        for (std::int64_t c = 0; c < classes; ++c) {
          p[c] = static_cast<T>(exponentials[static_cast<std::size_t>(c)] / sum);
        }
        if (std::isinf(top)) {  // there is no softmax: the probabilities are NaN
          loss += std::numeric_limits<double>::infinity();
          continue;
        }
        // sum over c of t z is (1 - e) z[label] + e mean(z), and the targets sum to 1.
        const double hot = z[labels.data<std::int64_t>()[n]] - top;
        const double mean = total / static_cast<double>(classes);
        loss += std::log(sum) - weighted(1.0 - smoothing, hot) - weighted(smoothing, mean);
      }
      result.loss.data<T>()[g] = static_cast<T>(loss / static_cast<double>(groups.size(g)));
    }
  });
  return result;
}

Tensor ReferenceBackend::cross_entropy_backward(const Tensor& probabilities, const Tensor& labels,
                                                double smoothing, const Groups& groups,
                                                const Tensor& dloss) {
  const std::int64_t classes = probabilities.size(1);
  Tensor dlogits = Tensor::empty(probabilities.shape(), probabilities.dtype(), *this);
  dispatch("cross_entropy", probabilities.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      const double scale = dloss.data<T>()[g] / static_cast<double>(groups.size(g));
      for (std::int64_t n = r.begin; n < r.end; ++n) {
        const T* p = probabilities.data<T>() + n * classes;
        T* dz = dlogits.data<T>() + n * classes;
        const std::int64_t label = labels.data<std::int64_t>()[n];
        for (std::int64_t c = 0; c < classes; ++c) {
          const double hot = c == label ? 1.0 - smoothing : 0.0;
          const double target = hot + smoothing / static_cast<double>(classes);
          dz[c] = static_cast<T>((p[c] - target) * scale);
        }
      }
    }
  });
  return dlogits;
}

}  // namespace cograd
