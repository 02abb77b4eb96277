// Batch norm over x [N, C, H, W], per channel c; n counts the values of a statistic.
//   y = gamma xhat + beta,  xhat = (x - mean) / sqrt(var + eps)
//   dgamma = sum dy xhat,  dbeta = sum dy
//   dx = gamma / sqrt(var + eps) (dy - dbeta / n - xhat dgamma / n)
// The epilogue follows as separate ops: this backend need not save passes over memory.
#include <cmath>
#include <vector>

#include "cograd/engine/reference/dispatch.h"
#include "cograd/engine/reference/reference_backend.h"

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

struct Moments {
  double mean, variance, eps;
};

/// y = gamma (x - mean) / sqrt(variance + eps) + beta over one channel of the rows `r`.
template <class T>
void normalize(const BatchNormInput& input, const Moments& m, RowRange r, std::int64_t c,
               Tensor& y) {
  const T* X = input.x.data<T>();
  T* Y = y.data<T>();
  const double scale = input.gamma.data<T>()[c] / std::sqrt(m.variance + m.eps);
  const double offset = input.beta.data<T>()[c];
  for_channel(input.x.shape(), r, c,
              [&](std::int64_t i) { Y[i] = static_cast<T>(scale * (X[i] - m.mean) + offset); });
}

/// epilogue(z), over z itself.
Tensor finished(ReferenceBackend& backend, Tensor z, const BatchNormInput& input) {
  if (input.epilogue == Epilogue::add_relu) z = backend.add(z, input.residual, &z);
  return input.epilogue == Epilogue::none ? z : backend.relu(z, true);
}

/// The gradients of one channel. Statistics are each group's own, or the whole batch's.
template <class T>
class ChannelBackward {
 public:
  ChannelBackward(const BatchNormBackward& in, const Tensor& dz, std::int64_t channel)
      : in_(in),
        own_(in.statistics.mean.size(0) == in.groups.count()),
        c_(channel),
        channels_(in.x.size(1)),
        X_(in.x.data<T>()),
        DZ_(dz.data<T>()) {}

  void run(GroupGradients& dgamma, GroupGradients& dbeta, T* DX) const {
    Sums whole;
    for (std::int64_t g = 0; g < in_.groups.count(); ++g) {
      const RowRange r = in_.groups.range(g);
      const Sums sums = sums_over(r, g);
      put(dgamma, g, sums.dz_xhat);
      put(dbeta, g, sums.dz);
      if (own_) write_dx(r, g, sums, DX);
      whole.dz += sums.dz;
      whole.dz_xhat += sums.dz_xhat;
    }
    if (!own_) write_dx({0, in_.x.size(0)}, 0, whole, DX);
  }

 private:
  struct Sums {
    double dz = 0.0, dz_xhat = 0.0;
  };

  double statistic(const Tensor& t, std::int64_t g) const {
    return static_cast<double>(t.data<T>()[(own_ ? g * channels_ : 0) + c_]);
  }
  double inverse_std(std::int64_t g) const {
    return 1.0 / std::sqrt(statistic(in_.statistics.variance, g) + in_.statistics.eps);
  }
  Sums sums_over(RowRange r, std::int64_t g) const {
    const double mean = statistic(in_.statistics.mean, g), s = inverse_std(g);
    Sums sums;
    for_channel(in_.x.shape(), r, c_, [&](std::int64_t i) {
      sums.dz += DZ_[i];
      sums.dz_xhat += DZ_[i] * (X_[i] - mean) * s;
    });
    return sums;
  }
  void put(GroupGradients& to, std::int64_t g, double value) const {
    T& v = to.values.template data<T>()[g * channels_ + c_];
    v = static_cast<T>(to.write == Write::accumulate ? v + value : value);
  }
  /// dx of rows whose statistics are over n values, given the sums over those values.
  void write_dx(RowRange r, std::int64_t g, const Sums& sums, T* DX) const {
    const double mean = statistic(in_.statistics.mean, g), s = inverse_std(g);
    const auto n = static_cast<double>(r.size() * in_.x.size(2) * in_.x.size(3));
    const double a = in_.statistics.constant ? 0.0 : sums.dz / n;
    const double b = in_.statistics.constant ? 0.0 : sums.dz_xhat / n;
    const T gamma = in_.gamma.data<T>()[c_];
    for_channel(in_.x.shape(), r, c_, [&](std::int64_t i) {
      DX[i] = static_cast<T>(gamma * s * (DZ_[i] - a - (X_[i] - mean) * s * b));
    });
  }

  const BatchNormBackward& in_;
  bool own_;
  std::int64_t c_, channels_;
  const T *X_, *DZ_;
};

}  // namespace

BatchNormResult ReferenceBackend::batch_norm(const BatchNormInput& input, const Groups& groups,
                                             double eps, RunningStatistics& running) {
  const Tensor& x = input.x;
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
        normalize<T>(input, {mean, variance, eps}, r, c, result.y);
        if (!running.mean.defined()) continue;
        const auto update = [&](Tensor& statistic, double value) {
          T& s = statistic.data<T>()[c];
          s = static_cast<T>(running_average<double>(s, value, running.momentum));
        };
        update(running.mean, mean);
        update(running.variance, variance * n / (n - 1));
      }
    }
  });
  if (running.batches.defined()) {
    fill(running.batches, static_cast<double>(groups.count()), Write::accumulate);
  }
  result.y = finished(*this, std::move(result.y), input);
  return result;
}

Tensor ReferenceBackend::batch_norm_inference(const BatchNormInput& input,
                                              const BatchStatistics& statistics) {
  const Tensor& x = input.x;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), *this);
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t c = 0; c < x.size(1); ++c) {
      const Moments moments{statistics.mean.data<T>()[c], statistics.variance.data<T>()[c],
                            statistics.eps};
      normalize<T>(input, moments, {0, x.size(0)}, c, y);
    }
  });
  return finished(*this, std::move(y), input);
}

BatchNormGradient ReferenceBackend::batch_norm_backward(const BatchNormBackward& in,
                                                        GroupGradients dgamma,
                                                        GroupGradients dbeta) {
  const Tensor dz = in.epilogue == Epilogue::none ? in.dy : relu_backward(in.y, in.dy, in.in_place);
  Tensor dx = Tensor::empty(in.x.shape(), in.x.dtype(), *this);
  dispatch("batch_norm", in.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t c = 0; c < in.x.size(1); ++c) {
      ChannelBackward<T>(in, dz, c).run(dgamma, dbeta, dx.data<T>());
    }
  });
  return {dx, in.epilogue == Epilogue::add_relu ? dz : Tensor()};
}

}  // namespace cograd
