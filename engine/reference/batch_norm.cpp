// Batch norm over x [N, C, H, W], per channel c; n counts the values of a statistic.
//   y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps)
//   dgamma = sum dy xhat,  dbeta = sum dy
//   dx = gamma / sqrt(var + eps) (dy - dbeta / n - xhat dgamma / n)
// The epilogue follows as ops of its own; here they need not be one sweep over memory.
#include <cmath>
#include <vector>

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

/// y = gamma (x - mean) / sqrt(variance + eps) + beta over one channel of the rows `r`.
template <class T>
void normalize(const Tensor& x, RowRange r, std::int64_t c, double mean, double variance,
               double eps, const Tensor& gamma, const Tensor& beta, Tensor& y) {
  const T* X = x.data<T>();
  T* Y = y.data<T>();
  const double scale = gamma.data<T>()[c] / std::sqrt(variance + eps);
  const double offset = beta.data<T>()[c];
  for_channel(x.shape(), r, c,
              [&](std::int64_t i) { Y[i] = static_cast<T>(scale * (X[i] - mean) + offset); });
}

/// epilogue(z), over z itself.
Tensor finished(ReferenceBackend& backend, Tensor z, Epilogue epilogue, const Tensor& residual) {
  if (epilogue == Epilogue::add_relu) z = backend.add(z, residual, &z);
  return epilogue == Epilogue::none ? z : backend.relu(z, true);
}

}  // namespace

BatchNormResult ReferenceBackend::batch_norm(const Tensor& x, const Tensor& gamma,
                                             const Tensor& beta, const Groups& groups, double eps,
                                             RunningStatistics& running, Epilogue epilogue,
                                             const Tensor& residual) {
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  BatchNormResult result{Tensor::empty(x.shape(), x.dtype(), *this),
                         {Tensor::zeros({groups.count(), channels}, x.dtype(), *this),
                          Tensor::zeros({groups.count(), channels}, x.dtype(), *this), eps}};
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      if (r.size() == 0) continue;  // a micro-batch without examples of this group
      const auto n = static_cast<double>(r.size() * pixels);
      require<ValueError>(n > 1,
                          "[batch_norm] a group of one value per channel has no variance: expected "
                          "larger groups or images");
      for (std::int64_t c = 0; c < channels; ++c) {
        // Two passes: E[x^2] - E[x]^2 cancels when the mean is large.
        double mean = 0.0, variance = 0.0;
        for_channel(x.shape(), r, c, [&](std::int64_t i) { mean += X[i]; });
        mean /= n;
        for_channel(x.shape(), r, c,
                    [&](std::int64_t i) { variance += (X[i] - mean) * (X[i] - mean); });
        variance /= n;
        result.statistics.mean.data<T>()[g * channels + c] = static_cast<T>(mean);
        result.statistics.variance.data<T>()[g * channels + c] = static_cast<T>(variance);
        normalize<T>(x, r, c, mean, variance, eps, gamma, beta, result.y);
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
  result.y = finished(*this, std::move(result.y), epilogue, residual);
  return result;
}

Tensor ReferenceBackend::batch_norm_inference(const Tensor& x, const Tensor& gamma,
                                              const Tensor& beta, const BatchStatistics& statistics,
                                              Epilogue epilogue, const Tensor& residual) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), *this);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t c = 0; c < x.size(1); ++c) {
      normalize<T>(x, {0, x.size(0)}, c, statistics.mean.data<T>()[c],
                   statistics.variance.data<T>()[c], statistics.eps, gamma, beta, y);
    }
  });
  return finished(*this, std::move(y), epilogue, residual);
}

BatchNormGradient ReferenceBackend::batch_norm_backward(
    const Tensor& x, const Tensor& y, const Tensor& dy, bool in_place, const Tensor& gamma,
    const Tensor& /*beta*/, const BatchStatistics& statistics, Epilogue epilogue,
    const Groups& groups, Tensor& dgamma, Write gamma_write, Tensor& dbeta, Write beta_write) {
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  const bool own = statistics.mean.size(0) == groups.count();  // each group has its statistics
  const Tensor dz = epilogue == Epilogue::none ? dy : relu_backward(y, dy, in_place);
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), *this);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* X = x.data<T>();
    const T* DZ = dz.data<T>();
    T* DX = dx.data<T>();
    const auto put = [](T& to, double value, Write write) {
      to = static_cast<T>(write == Write::accumulate ? to + value : value);
    };
    for (std::int64_t c = 0; c < channels; ++c) {
      double whole_sum = 0.0, whole_sum_xhat = 0.0;
      const auto statistic = [&](const Tensor& t, std::int64_t g) {
        return static_cast<double>(t.data<T>()[(own ? g * channels : 0) + c]);
      };
      const auto inverse_std = [&](std::int64_t g) {
        return 1.0 / std::sqrt(statistic(statistics.variance, g) + statistics.eps);
      };
      // dx of rows whose statistics are over n values, given the sums over those values.
      const auto write_dx = [&](RowRange r, std::int64_t g, double sum, double sum_xhat) {
        const double mean = statistic(statistics.mean, g), s = inverse_std(g);
        const auto n = static_cast<double>(r.size() * pixels);
        const double a = statistics.constant ? 0.0 : sum / n;
        const double b = statistics.constant ? 0.0 : sum_xhat / n;
        for_channel(x.shape(), r, c, [&](std::int64_t i) {
          DX[i] = static_cast<T>(gamma.data<T>()[c] * s * (DZ[i] - a - (X[i] - mean) * s * b));
        });
      };
      for (std::int64_t g = 0; g < groups.count(); ++g) {
        const RowRange r = groups.range(g);
        const double mean = statistic(statistics.mean, g), s = inverse_std(g);
        double sum = 0.0, sum_xhat = 0.0;
        for_channel(x.shape(), r, c, [&](std::int64_t i) {
          sum += DZ[i];
          sum_xhat += DZ[i] * (X[i] - mean) * s;
        });
        put(dgamma.data<T>()[g * channels + c], sum_xhat, gamma_write);
        put(dbeta.data<T>()[g * channels + c], sum, beta_write);
        if (own) write_dx(r, g, sum, sum_xhat);
        whole_sum += sum;
        whole_sum_xhat += sum_xhat;
      }
      if (!own) write_dx({0, x.size(0)}, 0, whole_sum, whole_sum_xhat);
    }
  });
  return {dx, epilogue == Epilogue::add_relu ? dz : Tensor()};
}

}  // namespace cograd
