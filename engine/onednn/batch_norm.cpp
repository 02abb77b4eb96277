// Batch norm by oneDNN, one call per group on its rows.
#include <algorithm>

#include "engine/onednn/onednn_backend.h"
#include "engine/onednn/primitive.h"
#include "engine/onednn/primitive_cache.h"

namespace cograd {
namespace {

using dnnl::memory;
using dnnl::normalization_flags;
using onednn::PrimitiveCache;
using onednn::PrimitiveKey;

struct Normalization {
  dnnl::primitive primitive;
  memory::desc scratchpad;
};

const auto kAffine = normalization_flags::use_scale | normalization_flags::use_shift;

normalization_flags flags_for(bool constant) {
  return constant ? kAffine | normalization_flags::use_global_stats : kAffine;
}

memory channel_memory(const Tensor& x, std::int64_t channels, std::int64_t row = 0) {
  return onednn::memory({{channels}, memory::data_type::f32, memory::format_tag::a},
                        x.data<float>() + row * channels);
}

std::shared_ptr<const Normalization> forward(const Tensor& x, double eps, bool constant) {
  static PrimitiveCache<Normalization> cache;
  const auto pass =
      constant ? PrimitiveKey::Pass::batch_norm_inference : PrimitiveKey::Pass::batch_norm;
  return cache.get(PrimitiveKey(pass).add(x.shape()).add(x.layout()).add(eps), [&] {
    const auto pd = onednn::describe_batch_norm(
        onednn::cpu_engine(),
        constant ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training,
        onednn::descriptor(x), static_cast<float>(eps), flags_for(constant));
    return Normalization{dnnl::batch_normalization_forward(pd), pd.scratchpad_desc()};
  });
}

std::shared_ptr<const Normalization> backward(const Tensor& x, double eps, bool constant) {
  static PrimitiveCache<Normalization> cache;
  const auto key = PrimitiveKey(PrimitiveKey::Pass::batch_norm_backward)
                       .add(x.shape())
                       .add(x.layout())
                       .add(eps)
                       .add(std::int64_t{constant});
  return cache.get(key, [&] {
    const auto md = onednn::descriptor(x);
    const auto hint =
        onednn::describe_batch_norm(onednn::cpu_engine(), dnnl::prop_kind::forward_training, md,
                                    static_cast<float>(eps), flags_for(constant));
    const auto pd = onednn::describe_batch_norm_backward(
        onednn::cpu_engine(), hint, md, static_cast<float>(eps), flags_for(constant));
    return Normalization{dnnl::batch_normalization_backward(pd), pd.scratchpad_desc()};
  });
}

void update(Tensor& running, const float* statistic, double momentum, double correction) {
  float* r = running.data<float>();
  for (std::int64_t c = 0; c < running.numel(); ++c) {
    r[c] = static_cast<float>((1.0 - momentum) * r[c] + momentum * correction * statistic[c]);
  }
}

void put(const float* from, std::int64_t n, float* to, Write write) {
  for (std::int64_t i = 0; i < n; ++i)
    to[i] = write == Write::accumulate ? to[i] + from[i] : from[i];
}

}  // namespace

BatchNormResult OneDnnBackend::batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                          const Groups& groups, double eps,
                                          RunningStatistics& running) {
  if (x.dtype() != Dtype::f32) {
    return ReferenceBackend::batch_norm(x, gamma, beta, groups, eps, running);
  }
  const std::int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
  BatchNormResult result{Tensor::empty(x.shape(), x.dtype(), *this, x.layout()),
                         {Tensor::zeros({groups.count(), channels}, x.dtype(), *this),
                          Tensor::zeros({groups.count(), channels}, x.dtype(), *this), eps}};
  return onednn::translated("batch_norm", x.shape(), [&] {
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      if (r.size() == 0) continue;
      const auto n = static_cast<double>(r.size() * pixels);
      require<ValueError>(n > 1,
                          "[batch_norm] a group of one value per channel has no variance: expected "
                          "larger groups or images");
      const Tensor part = x.rows(r.begin, r.end);
      const auto norm = forward(part, eps, false);
      const BatchStatistics& s = result.statistics;
      onednn::execute(norm->primitive, norm->scratchpad,
                      {{DNNL_ARG_SRC, onednn::memory(part)},
                       {DNNL_ARG_SCALE, channel_memory(gamma, channels)},
                       {DNNL_ARG_SHIFT, channel_memory(beta, channels)},
                       {DNNL_ARG_MEAN, channel_memory(s.mean, channels, g)},
                       {DNNL_ARG_VARIANCE, channel_memory(s.variance, channels, g)},
                       {DNNL_ARG_DST, onednn::memory(result.y.rows(r.begin, r.end))}});
      if (running.mean.defined()) {
        update(running.mean, s.mean.data<float>() + g * channels, running.momentum, 1.0);
        update(running.variance, s.variance.data<float>() + g * channels, running.momentum,
               n / (n - 1));
      }
    }
    return result;
  });
}

Tensor OneDnnBackend::batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                           const BatchStatistics& statistics) {
  if (x.dtype() != Dtype::f32) {
    return ReferenceBackend::batch_norm_inference(x, gamma, beta, statistics);
  }
  return onednn::translated("batch_norm", x.shape(), [&] {
    const std::int64_t channels = x.size(1);
    Tensor y = Tensor::empty(x.shape(), x.dtype(), *this, x.layout());
    const auto norm = forward(x, statistics.eps, true);
    onednn::execute(norm->primitive, norm->scratchpad,
                    {{DNNL_ARG_SRC, onednn::memory(x)},
                     {DNNL_ARG_SCALE, channel_memory(gamma, channels)},
                     {DNNL_ARG_SHIFT, channel_memory(beta, channels)},
                     {DNNL_ARG_MEAN, channel_memory(statistics.mean, channels)},
                     {DNNL_ARG_VARIANCE, channel_memory(statistics.variance, channels)},
                     {DNNL_ARG_DST, onednn::memory(y)}});
    return y;
  });
}

Tensor OneDnnBackend::batch_norm_backward(const Tensor& x, const Tensor& dy, const Tensor& gamma,
                                          const BatchStatistics& statistics, const Groups& groups,
                                          Tensor& dgamma, Write gamma_write, Tensor& dbeta,
                                          Write beta_write) {
  const bool own = statistics.mean.size(0) == groups.count();
  // Statistics of the whole batch tie the groups together, which no oneDNN call on one group knows.
  const bool tied = !own && !statistics.constant;
  if (x.dtype() != Dtype::f32 || tied) {
    return ReferenceBackend::batch_norm_backward(x.row_major(), dy.row_major(), gamma, statistics,
                                                 groups, dgamma, gamma_write, dbeta, beta_write);
  }
  return onednn::translated("batch_norm", x.shape(), [&] {
    const std::int64_t channels = x.size(1);
    const Tensor gradient = onednn::reordered(dy, x.layout());
    Tensor dx = Tensor::empty(x.shape(), x.dtype(), *this, x.layout());
    Tensor sums = Tensor::empty({2, channels}, x.dtype(), *this);  // of dy xhat, and of dy
    for (std::int64_t g = 0; g < groups.count(); ++g) {
      const RowRange r = groups.range(g);
      if (r.size() == 0) {
        fill(sums, 0.0);
      } else {
        const Tensor part = x.rows(r.begin, r.end);
        const auto norm = backward(part, statistics.eps, statistics.constant);
        const std::int64_t row = own ? g : 0;
        onednn::execute(norm->primitive, norm->scratchpad,
                        {{DNNL_ARG_SRC, onednn::memory(part)},
                         {DNNL_ARG_MEAN, channel_memory(statistics.mean, channels, row)},
                         {DNNL_ARG_VARIANCE, channel_memory(statistics.variance, channels, row)},
                         {DNNL_ARG_DIFF_DST, onednn::memory(gradient.rows(r.begin, r.end))},
                         {DNNL_ARG_SCALE, channel_memory(gamma, channels)},
                         {DNNL_ARG_SHIFT, channel_memory(gamma, channels)},  // required, not read
                         {DNNL_ARG_DIFF_SRC, onednn::memory(dx.rows(r.begin, r.end))},
                         {DNNL_ARG_DIFF_SCALE, channel_memory(sums, channels, 0)},
                         {DNNL_ARG_DIFF_SHIFT, channel_memory(sums, channels, 1)}});
      }
      put(sums.data<float>(), channels, dgamma.data<float>() + g * channels, gamma_write);
      put(sums.data<float>() + channels, channels, dbeta.data<float>() + g * channels, beta_write);
    }
    return dx;
  });
}

}  // namespace cograd
