// Batch norm with its epilogue, over all groups at once: two passes over memory forward (moments,
// normalize) and two backward (sums, input gradient). The loops are ours: oneDNN knows neither
// groups nor residuals. One thread works on each block of channels of each image, and the blocks
// are summed up in order, so no result depends on the number of threads.
#include <array>
#include <cmath>

#include "engine/cpu/batch_norm_kernels.h"
#include "engine/cpu/channel_blocks.h"
#include "engine/cpu/cpu_backend.h"
#include "engine/cpu/layout.h"
#include "engine/cpu/precision.h"

namespace cograd {
namespace cpu {

template <>
const BatchNormKernels<float>& batch_norm_kernels() {
  return COGRAD_TABLE_IN_FORCE(kBatchNormF32);
}
template <>
const BatchNormKernels<std::uint16_t>& batch_norm_kernels() {
  return COGRAD_TABLE_IN_FORCE(kBatchNormBf16);
}

}  // namespace cpu

namespace {

using cpu::batch_norm_kernels;
using cpu::Blocks;
using cpu::dispatch;
using cpu::Normalization;
using cpu::PartialSums;

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// What each block is normalized with, [S][blocks], S as in BatchStatistics; zero where C ends.
std::vector<Normalization> normalizations(const Blocks& blocks, const BatchStatistics& statistics,
                                          const Tensor& gamma, const Tensor& beta) {
  const std::int64_t sets = statistics.mean.numel() / blocks.channels;
  std::vector<Normalization> all(static_cast<std::size_t>(sets * blocks.count));
  for (std::int64_t s = 0; s < sets; ++s) {
    const float* mean = statistics.mean.data<float>() + s * blocks.channels;
    const float* variance = statistics.variance.data<float>() + s * blocks.channels;
    for (std::int64_t c = 0; c < blocks.channels; ++c) {
      Normalization& n = all[static_cast<std::size_t>(s * blocks.count + c / blocks.block.lanes)];
      const std::int64_t lane = c % blocks.block.lanes;
      n.mean[lane] = mean[c];
      n.scale[lane] =
          static_cast<float>(gamma.data<float>()[c] / std::sqrt(variance[c] + statistics.eps));
      n.shift[lane] = beta.data<float>()[c];
    }
  }
  return all;
}

Tensor normalized(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                  const BatchStatistics& statistics, const Groups& groups, Epilogue epilogue,
                  const Tensor& residual, Backend& backend) {
  const Blocks blocks(x);
  const Tensor other = residual.defined() ? cpu::reordered(residual, x.layout()) : residual;
  const std::vector<Normalization> how = normalizations(blocks, statistics, gamma, beta);
  const bool one = std::ssize(how) == blocks.count;
  Tensor y = Tensor::empty(x.shape(), x.dtype(), backend, x.layout());
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* r = data_or_null<T>(other);
    blocks.for_each([&](std::int64_t image, std::int64_t b) {
      const std::int64_t at = blocks.offset(image, b);
      const std::int64_t set = one ? 0 : groups.group_of(image);
      batch_norm_kernels<T>().normalize(
          blocks.block, how[static_cast<std::size_t>(set * blocks.count + b)], x.data<T>() + at,
          r == nullptr ? nullptr : r + at, y.data<T>() + at, epilogue != Epilogue::none);
    });
  });
  return y;
}

void check_dtype(const Tensor& x, const Tensor& gamma) {
  require<DtypeError>(gamma.dtype() == Dtype::f32,
                      "[batch_norm] the weight of {} activations must be f32, not {}",
                      name_of(x.dtype()), name_of(gamma.dtype()));
}

}  // namespace

BatchNormResult CpuBackend::batch_norm(const Tensor& image, const Tensor& gamma, const Tensor& beta,
                                       const Groups& groups, double eps, RunningStatistics& running,
                                       Epilogue epilogue, const Tensor& residual) {
  check_dtype(image, gamma);
  const Tensor x = cpu::in_blocks(image);
  const Blocks blocks(x);
  PartialSums moments(blocks);  // mean and squared deviations of each image's pixels
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      batch_norm_kernels<T>().moments(blocks.block, x.data<T>() + blocks.offset(n, b),
                                      moments.first_of(n, b), moments.second_of(n, b));
    });
  });

  const std::int64_t channels = blocks.channels;
  BatchStatistics statistics{Tensor::zeros({groups.count(), channels}, Dtype::f32, *this),
                             Tensor::zeros({groups.count(), channels}, Dtype::f32, *this), eps};
  const auto pixels = static_cast<double>(blocks.block.pixels);
  for (std::int64_t g = 0; g < groups.count(); ++g) {
    const RowRange r = groups.range(g);
    if (r.size() == 0) continue;  // a micro-batch without examples of this group
    const double n = static_cast<double>(r.size()) * pixels;
    require<ValueError>(n > 1,
                        "[batch_norm] a group of one value per channel has no variance: expected "
                        "larger groups or images");
    for (std::int64_t c = 0; c < channels; ++c) {
      // Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
      // variances", 1979: the squares within the images and those between them.
      double mean = 0.0, squares = 0.0;
      moments.for_channel(r, c, [&](double m, double) { mean += m * pixels; });
      mean /= n;
      moments.for_channel(
          r, c, [&](double m, double s) { squares += s + pixels * (m - mean) * (m - mean); });
      statistics.mean.data<float>()[g * channels + c] = static_cast<float>(mean);
      statistics.variance.data<float>()[g * channels + c] = static_cast<float>(squares / n);
      if (!running.mean.defined()) continue;
      const auto update = [&](Tensor& statistic, double value) {
        float& s = statistic.data<float>()[c];
        s = static_cast<float>((1.0 - running.momentum) * s + running.momentum * value);
      };
      update(running.mean, mean);
      update(running.variance, squares / (n - 1));
    }
  }
  return {
      cpu::for_next_op(normalized(x, gamma, beta, statistics, groups, epilogue, residual, *this)),
      statistics};
}

Tensor CpuBackend::batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                        const BatchStatistics& statistics, Epilogue epilogue,
                                        const Tensor& residual) {
  check_dtype(x, gamma);
  return cpu::for_next_op(normalized(cpu::in_blocks(x), gamma, beta, statistics,
                                     Groups(x.size(0), 1), epilogue, residual, *this));
}

BatchNormGradient CpuBackend::batch_norm_backward(
    const Tensor& image, const Tensor& y, const Tensor& upstream, bool in_place,
    const Tensor& gamma, const Tensor& beta, const BatchStatistics& statistics, Epilogue epilogue,
    const Groups& groups, Tensor& dgamma, Write gamma_write, Tensor& dbeta, Write beta_write) {
  const Tensor x = cpu::in_blocks(image);
  const Tensor dy = cpu::reordered(upstream, x.layout());
  const Blocks blocks(x);
  const std::int64_t channels = blocks.channels;
  const std::vector<Normalization> how = normalizations(blocks, statistics, gamma, beta);
  const std::int64_t sets = std::ssize(how) / blocks.count;
  const auto set_of = [&](std::int64_t n) { return sets == 1 ? 0 : groups.group_of(n); };
  const auto how_of = [&](std::int64_t n, std::int64_t b) -> const Normalization& {
    return how[static_cast<std::size_t>(set_of(n) * blocks.count + b)];
  };

  // After add_relu the mask needs y, and dz is wanted itself. Else the mask comes from x again,
  // which is read anyway.
  const bool adds = epilogue == Epilogue::add_relu, masks = epilogue == Epilogue::relu;
  const bool ours = in_place || dy.layout() != upstream.layout();
  Tensor dz = dy;
  if (adds && !ours) dz = Tensor::empty(x.shape(), x.dtype(), *this, x.layout());
  PartialSums sums(blocks);  // of dz, and of dz (x - mean)
  const Tensor output = adds ? cpu::reordered(y, x.layout()) : Tensor();
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = dz.data<T>();
    const T* out = data_or_null<T>(output);
    blocks.for_each([&](std::int64_t n, std::int64_t b) {
      const std::int64_t at = blocks.offset(n, b);
      batch_norm_kernels<T>().gradient_sums(blocks.block, how_of(n, b), x.data<T>() + at,
                                            adds ? out + at : nullptr, dy.data<T>() + at, to + at,
                                            masks, sums.first_of(n, b), sums.second_of(n, b));
    });
  });

  // dx = scale dz - a - b (x - mean), a = scale (sum dz) / n, b = scale (sum dz (x - mean)) s^2 /
  // n, s = 1 / sqrt(variance + eps). Statistics of the whole batch sum over all groups.
  std::vector<std::array<float, 16>> a(how.size()), b(how.size());
  for (std::int64_t set = 0; set < sets; ++set) {
    const auto pixels = static_cast<double>(blocks.block.pixels);
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::size_t block =
          static_cast<std::size_t>(set * blocks.count + c / blocks.block.lanes);
      const auto lane = static_cast<std::size_t>(c % blocks.block.lanes);
      const double inverse =
          1.0 / std::sqrt(statistics.variance.data<float>()[set * channels + c] + statistics.eps);
      double all = 0.0, all_centered = 0.0, n = 0.0;
      for (std::int64_t g = sets == 1 ? 0 : set; g < (sets == 1 ? groups.count() : set + 1); ++g) {
        double sum = 0.0, centered = 0.0;
        sums.for_channel(groups.range(g), c, [&](double s, double t) { sum += s, centered += t; });
        const auto put = [&](Tensor& to, double value, Write write) {
          float& v = to.data<float>()[g * channels + c];
          v = static_cast<float>(write == Write::accumulate ? v + value : value);
        };
        put(dgamma, centered * inverse, gamma_write);
        put(dbeta, sum, beta_write);
        all += sum, all_centered += centered;
        n += static_cast<double>(groups.range(g).size()) * pixels;
      }
      if (statistics.constant || n == 0.0) continue;
      const double scale = static_cast<double>(how[block].scale[lane]);
      a[block][lane] = static_cast<float>(scale * all / n);
      b[block][lane] = static_cast<float>(scale * all_centered * inverse * inverse / n);
    }
  }

  Tensor dx = dz;
  if (adds || !ours) dx = Tensor::empty(x.shape(), x.dtype(), *this, x.layout());
  dispatch("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = std::as_const(dz).data<T>();
    T* to = dx.data<T>();
    blocks.for_each([&](std::int64_t n, std::int64_t block) {
      const std::int64_t at = blocks.offset(n, block);
      const auto i = static_cast<std::size_t>(set_of(n) * blocks.count + block);
      batch_norm_kernels<T>().input_gradient(blocks.block, how[i], a[i].data(), b[i].data(),
                                             x.data<T>() + at, from + at, to + at, masks);
    });
  });
  return {cpu::for_next_op(dx), adds ? cpu::for_next_op(dz) : Tensor()};
}

}  // namespace cograd
