// With R ranks of m values each, n = R m:
//   mean = mean_r mean_r,  var = mean_r (var_r + (mean_r - mean)^2)
//   dx = gamma / sqrt(var + eps) (dy - (sum dy) / n - xhat (sum dy xhat) / n), sums over all ranks
// All but the first term of dx is a x + b with a and b per channel: a batch norm by constants.
#include "cograd/engine/parallel/synchronized_batch_norm.h"

#include <cmath>
#include <utility>
#include <vector>

#include "cograd/engine/error.h"

namespace cograd {
namespace {

using Values = std::vector<float>;

struct Moments {
  Values mean, variance;
};

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Tensor per_channel(const Values& values, Backend& backend) {
  return Tensor::from(values, {1, std::ssize(values)}, backend);
}

/// Of the values of all ranks.
Moments joined(const BatchStatistics& mine, Communicator& ranks) {
  Backend& backend = mine.mean.backend();
  const std::int64_t channels = mine.mean.numel(), size = ranks.size();
  Tensor sent = Tensor::empty({2, channels}, Dtype::f32, backend);
  sent[0].copy_from(mine.mean.reshape({channels}));
  sent[1].copy_from(mine.variance.reshape({channels}));
  Tensor received = Tensor::empty({size, 2, channels}, Dtype::f32, backend);
  ranks.all_gather(sent.data<float>(), received.data<float>(), 2 * channels);
  const Values all = received.to_vector<float>();
  Moments joined;
  for (std::int64_t c = 0; c < channels; ++c) {
    double mean = 0.0, variance = 0.0;
    for (std::int64_t r = 0; r < size; ++r) mean += all[at(2 * r * channels + c)];
    mean /= static_cast<double>(size);
    for (std::int64_t r = 0; r < size; ++r) {
      const double from_mean = all[at(2 * r * channels + c)] - mean;
      variance += all[at((2 * r + 1) * channels + c)] + from_mean * from_mean;
    }
    joined.mean.push_back(static_cast<float>(mean));
    joined.variance.push_back(static_cast<float>(variance / static_cast<double>(size)));
  }
  return joined;
}

/// Lets `running` follow statistics over `n` values.
void follow(RunningStatistics& running, const Moments& moments, double n) {
  if (!running.mean.defined()) return;
  Values mean = running.mean.to_vector<float>(), variance = running.variance.to_vector<float>();
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const auto next = [&](float old, double statistic) {
      return static_cast<float>(running_average<double>(old, statistic, running.momentum));
    };
    mean[c] = next(mean[c], moments.mean[c]);
    variance[c] = next(variance[c], moments.variance[c] * n / (n - 1));
  }
  running.mean.copy_from(Tensor::from(mean, running.mean.shape(), running.mean.backend()));
  running.variance.copy_from(
      Tensor::from(variance, running.variance.shape(), running.variance.backend()));
}

/// The part of dx that flows through the statistics, given this rank's sums: a x + b.
Tensor through_statistics(const Tensor& x, const BatchStatistics& statistics, const Tensor& gamma,
                          const Tensor& sum_dy_xhat, const Tensor& sum_dy, Communicator& ranks) {
  Backend& backend = x.backend();
  const std::int64_t channels = x.size(1);
  Tensor sums = Tensor::empty({2, channels}, Dtype::f32, backend);
  sums[0].copy_from(sum_dy_xhat.reshape({channels}));
  sums[1].copy_from(sum_dy.reshape({channels}));
  ranks.average(sums.data<float>(), sums.numel());
  const Values means = sums.to_vector<float>(), weights = gamma.to_vector<float>(),
               mean = statistics.mean.to_vector<float>(),
               variance = statistics.variance.to_vector<float>();
  // The sums' mean over the ranks, over the values of one rank, is the mean over all values.
  const auto values = static_cast<double>(x.size(0) * x.size(2) * x.size(3));
  Values a, b;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double inverse_std =
        1.0 / std::sqrt(static_cast<double>(variance[at(c)]) + statistics.eps);
    const double scale = weights[at(c)] * inverse_std / values;
    const double slope = scale * inverse_std * means[at(c)];
    a.push_back(static_cast<float>(-slope));
    b.push_back(static_cast<float>(slope * mean[at(c)] - scale * means[at(channels + c)]));
  }
  const Tensor zero = Tensor::zeros({1, channels}, Dtype::f32, backend);
  const Tensor one = Tensor::full({1, channels}, 1.0, Dtype::f32, backend);
  return backend.batch_norm_inference(
      {x, Tensor::from(a, {channels}, backend), Tensor::from(b, {channels}, backend)},
      {zero, one, 0.0, true});
}

void put(const GroupGradients& to, const Tensor& values) {
  Tensor destination = to.values;
  if (to.write == Write::accumulate) {
    destination.backend().add_into(destination, values);
  } else {
    destination.copy_from(values);
  }
}

}  // namespace

Variable synchronized_batch_norm(const Variable& x, Parameter& gamma, Parameter& beta,
                                 RunningStatistics& running, double eps, Epilogue epilogue,
                                 Variable residual, Communicator& ranks) {
  require<ShapeError>(x.shape().rank() == 4, "[batch_norm] expected [N, C, H, W], not {}",
                      x.shape());
  require<ValueError>(x.groups().count() == 1,
                      "[batch_norm] ranks share the statistics of one group: expected rows of 1, "
                      "not {}",
                      x.groups().count());
  Backend& backend = x.backend();
  RunningStatistics not_kept;
  const BatchStatistics mine =
      backend.batch_norm({x.value(), gamma.value, beta.value}, x.groups(), eps, not_kept)
          .statistics;
  const Moments moments = joined(mine, ranks);
  follow(running, moments,
         static_cast<double>(x.shape()[0] * x.shape()[2] * x.shape()[3] * ranks.size()));
  const BatchStatistics statistics{per_channel(moments.mean, backend),
                                   per_channel(moments.variance, backend), eps, true};
  Tensor y = backend.batch_norm_inference(
      {x.value(), gamma.value, beta.value, epilogue, residual.value()}, statistics);
  std::vector<Variable> inputs{x};
  if (epilogue == Epilogue::add_relu) inputs.push_back(std::move(residual));
  const Tensor kept = epilogue == Epilogue::none ? Tensor() : y;
  return record("batch_norm", std::move(y), std::move(inputs), {&gamma, &beta},
                [x = x.value(), y = kept, groups = x.groups(), statistics, epilogue, &gamma, &beta,
                 &ranks](const Tensor& dy, Backward& pass) {
                  Backend& on = x.backend();
                  const bool in_place = dy.unique();
                  Tensor dgamma = Tensor::empty({1, x.size(1)}, Dtype::f32, on);
                  Tensor dbeta = Tensor::empty({1, x.size(1)}, Dtype::f32, on);
                  BatchNormGradient gradient = on.batch_norm_backward({.x = x,
                                                                       .y = y,
                                                                       .dy = dy,
                                                                       .in_place = in_place,
                                                                       .gamma = gamma.value,
                                                                       .beta = beta.value,
                                                                       .statistics = statistics,
                                                                       .epilogue = epilogue,
                                                                       .groups = groups},
                                                                      {dgamma}, {dbeta});
                  pass.parameter_gradients({&gamma, &beta}, [&](std::span<GroupGradients> d) {
                    put(d[0], dgamma);
                    put(d[1], dbeta);
                  });
                  on.add_into(gradient.dx,
                              through_statistics(x, statistics, gamma.value, dgamma, dbeta, ranks));
                  pass.input_gradient(0, std::move(gradient.dx));
                  if (epilogue == Epilogue::add_relu) {
                    pass.input_gradient(1, std::move(gradient.dresidual));
                  }
                });
}

}  // namespace cograd
