// Batch norm over x [N, C, H, W], per channel c; n counts the values of a statistic.
//   y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps)
#include <cmath>

#include "engine/reference/dispatch.h"
#include "engine/reference/reference_backend.h"

namespace cograd {
namespace {

using reference::dispatch;

/// Calls visit(element) for every element of channel c in the rows `r` of an [N, C, H, W] tensor.
template <class Visit>
void for_channel(const Shape& x, RowRange r, std::int64_t c, Visit&& visit) {
  const std::int64_t pixels = x[2] * x[3];
  for (std::int64_t n = r.begin; n < r.end; ++n) {
    const std::int64_t first = (n * x[1] + c) * pixels;
    for (std::int64_t i = first; i < first + pixels; ++i) visit(i);
  }
}

/// y = scale (x - shift) + offset over one channel of the rows `r`.
template <class T>
void affine(const Tensor& x, RowRange r, std::int64_t c, double scale, double shift, double offset,
            Tensor& y) {
  const T* in = x.data<T>();
  T* out = y.data<T>();
  for_channel(x.shape(), r, c,
              [&](std::int64_t i) { out[i] = static_cast<T>(scale * (in[i] - shift) + offset); });
}

}  // namespace

BatchNormResult ReferenceBackend::batch_norm(const Tensor& x, const Tensor& gamma,
                                             const Tensor& beta, const Groups& groups, double eps,
                                             RunningStatistics& running) {
  const std::int64_t channels = x.size(1);
  const std::int64_t pixels = x.size(2) * x.size(3);
  BatchNormResult result{Tensor::empty(x.shape(), x.dtype(), *this),
                         Tensor::zeros({groups.count(), channels}, x.dtype(), *this),
                         Tensor::zeros({groups.count(), channels}, x.dtype(), *this)};
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      const auto n = static_cast<double>(r.size() * pixels);
      if (r.size() == 0) continue;  // a micro-batch without examples of this group
      require<ValueError>(n > 1,
                          "[batch_norm] a group of one value per channel has no variance: expected "
                          "larger groups or images");
      for (std::int64_t c = 0; c < channels; ++c) {
        // Two passes: E[x^2] - E[x]^2 cancels when the mean is large.
        double mean = 0.0, variance = 0.0;
        for_channel(x.shape(), r, c, [&](std::int64_t i) { mean += X[i]; });
        mean /= n;
        for_channel(x.shape(), r, c, [&](std::int64_t i) {
          const double d = X[i] - mean;
          variance += d * d;
        });
        variance /= n;
        const double inverse_std = 1.0 / std::sqrt(variance + eps);
        result.mean.data<T>()[g * channels + c] = static_cast<T>(mean);
        result.inverse_std.data<T>()[g * channels + c] = static_cast<T>(inverse_std);
        affine<T>(x, r, c, gamma.data<T>()[c] * inverse_std, mean, beta.data<T>()[c], result.y);
        if (running.mean.defined()) {
          const auto update = [&](Tensor& statistic, double value) {
            T& s = statistic.data<T>()[c];
            s = static_cast<T>((1.0 - running.momentum) * s + running.momentum * value);
          };
          update(running.mean, mean);
          update(running.variance, variance * n / (n - 1));
        }
      }
    }
  });
  return result;
}

Tensor ReferenceBackend::batch_norm_inference(const Tensor& x, const Tensor& gamma,
                                              const Tensor& beta, const Tensor& mean,
                                              const Tensor& variance, double eps) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), *this);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t c = 0; c < x.size(1); ++c) {
      const double scale =
          gamma.data<T>()[c] / std::sqrt(static_cast<double>(variance.data<T>()[c]) + eps);
      affine<T>(x, {0, x.size(0)}, c, scale, mean.data<T>()[c], beta.data<T>()[c], y);
    }
  });
  return y;
}

// dx = gamma inverse_std (dy - (sum dy) / n - xhat (sum dy xhat) / n), sums over the group
Tensor ReferenceBackend::batch_norm_data_gradient(const Tensor& x, const Tensor& dy,
                                                  const Tensor& gamma, const Tensor& mean,
                                                  const Tensor& inverse_std, const Groups& groups) {
  const std::int64_t channels = x.size(1);
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), *this);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    const T* DY = dy.data<T>();
    T* DX = dx.data<T>();
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      const auto n = static_cast<double>(r.size() * x.size(2) * x.size(3));
      for (std::int64_t c = 0; c < channels; ++c) {
        const double m = mean.data<T>()[g * channels + c];
        const double s = inverse_std.data<T>()[g * channels + c];
        const auto xhat = [&](std::int64_t i) { return (X[i] - m) * s; };
        const auto d = [&](std::int64_t i) { return static_cast<double>(DY[i]); };
        double sum = 0.0, sum_xhat = 0.0;
        for_channel(x.shape(), r, c, [&](std::int64_t i) {
          sum += d(i);
          sum_xhat += d(i) * xhat(i);
        });
        for_channel(x.shape(), r, c, [&](std::int64_t i) {
          DX[i] =
              static_cast<T>(gamma.data<T>()[c] * s * (d(i) - sum / n - xhat(i) * sum_xhat / n));
        });
      }
    }
  });
  return dx;
}

void ReferenceBackend::batch_norm_parameter_gradient(const Tensor& x, const Tensor& dy,
                                                     const Tensor& mean, const Tensor& inverse_std,
                                                     const Groups& groups, Tensor& dgamma,
                                                     Write gamma_write, Tensor& dbeta,
                                                     Write beta_write) {
  const std::int64_t channels = x.size(1);
  const bool one_statistic = mean.size(0) == 1;
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    const T* DY = dy.data<T>();
    const auto put = [](T& to, double value, Write write) {
      to = static_cast<T>(write == Write::accumulate ? to + value : value);
    };
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t statistic = (one_statistic ? 0 : g * channels) + c;
        const double m = mean.data<T>()[statistic];
        const double s = inverse_std.data<T>()[statistic];
        double sum = 0.0, sum_xhat = 0.0;
        for_channel(x.shape(), groups.range(g), c, [&](std::int64_t i) {
          sum += DY[i];
          sum_xhat += DY[i] * (X[i] - m) * s;
        });
        put(dgamma.data<T>()[g * channels + c], sum_xhat, gamma_write);
        put(dbeta.data<T>()[g * channels + c], sum, beta_write);
      }
    }
  });
}

}  // namespace cograd
